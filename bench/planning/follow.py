"""A step of training, followed on fake tensors by the runner's own loop."""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import torch
from torch import Tensor, nn

import bench.system.quiet  # noqa: F401  # before the libraries that it silences
from bench.configuration.cell import Cell
from bench.metering.account import Account
from bench.metering.storages import StorageTracker
from bench.metering.time import StepClock
from bench.methods.base import Batch, Method
from bench.methods.trainable import trainable_parameters
from bench.models.head import head_parameters
from bench.planning.adapted import Adapted
from bench.planning.cuda_kernels import CudaKernels
from bench.planning.fake import fake_tensors, materialise
from bench.planning.optimisers import planned
from bench.planning.places import Places
from bench.training.arithmetic import Arithmetic
from bench.training.loop import check_reached, gradients_of, train
from bench.training.losses import Losses
from bench.training.optimiser import make_optimiser, make_schedule

FAKE = torch.device("cpu")  # where fake tensors say that they are
Kept = TypeVar("Kept", bound=Account)


class _UnreachedError(Exception):
    """A step left other parameters without a gradient than was taken for granted before it."""

    def __init__(self, names: frozenset[str]) -> None:
        super().__init__(f"without a gradient: {', '.join(sorted(names)) or 'none'}")
        self.names = names


@dataclass
class Follower:
    """Follows steps of a cell's training, by models of several depths.

    A step of a training that is under way finds the optimizer's state there. It is made by an update beforehand, from
    gradients that no pass computed: following a whole step for it would double the work. What gets no gradient has no
    state either; which parameters these are is learnt from the first step that is followed, and held against each.
    """

    cell: Cell
    device: str
    unreached: frozenset[str] = field(default_factory=frozenset)

    def follow(self, adapt: Callable[[], Adapted], account: type[Kept], *, first: Adapted) -> tuple[Kept, int]:
        """The account of a step, and its operations.

        Args:
            adapt: makes the model to be followed.
            account: of what kind.
            first: one that is made already.
        """
        alike = {_unnumbered(name) for name in self.unreached}
        names = (name for name, _ in first.model.named_parameters())
        self.unreached = frozenset(name for name in names if _unnumbered(name) in alike)
        try:
            return self._followed(first, account())
        except _UnreachedError as error:
            self.unreached = error.names
        return self._followed(adapt(), account())

    def _followed(self, adapted: Adapted, account: Kept) -> tuple[Kept, int]:
        # Imported among fake tensors, its own tables and bitsandbytes' would be fake too, and counted.
        import peft  # noqa: F401

        if isinstance(account, Places):
            account.follow(adapted.model, [blocks for _, blocks in adapted.stacks])
        with fake_tensors() as fake, _kernels_of(self.device):
            materialise(adapted.model.train())
            inputs: Batch = {
                key: fake.from_tensor(value) if isinstance(value, Tensor) else value
                for key, value in adapted.batch.items()
            }
            return account, self._train(adapted, inputs, account)

    def _train(self, adapted: Adapted, batch: Batch, account: Account) -> int:
        """The runner's training phase on fake tensors, on the account; returns the operations of a whole step."""
        method, setting, training = adapted.method, adapted.setting, self.cell.training
        arithmetic = Arithmetic(adapted.precision, FAKE, scales=False)
        model = arithmetic.wrap(adapted.model)
        tracker = StorageTracker(torch.device(self.device), lives_on=FAKE, account=account)
        tracker.hold(model)
        with tracker:
            method.prepare(model, lambda: gradients_of(model, iter([[batch]]), arithmetic))
        head = {name for name, _ in head_parameters(model, setting.structure)}
        optimiser = make_optimiser(model, method, head, training, planned(self.device, tracker))
        several = min(training.accumulation, 2)  # further micro-batches only repeat the second
        with tracker.watching(model, optimiser):
            self._begin(model, method, optimiser)
            before = tracker.flops
            optimiser.register_step_pre_hook(lambda *_: self._compare(model, method))
            train(
                model, method, iter([[batch] * several]), optimiser=optimiser,
                schedule=make_schedule(optimiser, training, setting.total_steps), training=training, done=1,
                total_steps=2, family=setting.family, arithmetic=arithmetic, clock=StepClock(FAKE), losses=_NoLosses(),
                evaluate=lambda _: None, progress=lambda *_: None, checkpoint=lambda _: None,
            )  # fmt: skip
        return (tracker.flops - before) * training.accumulation // several

    def _begin(self, model: nn.Module, method: Method, optimiser: torch.optim.Optimizer) -> None:
        """What a first step leaves behind: the optimizer's state, and the method's own."""
        for name, parameter in trainable_parameters(model):
            if name not in self.unreached:
                parameter.grad = torch.zeros_like(parameter)
        method.on_gradients(model)
        optimiser.step()
        method.after_step(model, 1)
        optimiser.zero_grad()

    def _compare(self, model: nn.Module, method: Method) -> None:
        """Refuse a step that leaves other parameters without a gradient than `_begin` did."""
        unreached = frozenset(name for name, parameter in trainable_parameters(model) if parameter.grad is None)
        check_reached(method, unreached)
        if unreached != self.unreached:
            raise _UnreachedError(unreached)


def _unnumbered(name: str) -> str:
    """Of a parameter, the same in every block."""
    return re.sub(r"\d+", "", name)


class _NoLosses(Losses):
    """Fake losses have no values to read."""

    def add(self, loss: Tensor) -> None:
        """Let it go."""

    def read(self) -> float:
        """There is none."""
        return 0.0


@contextmanager
def _kernels_of(device: str) -> Iterator[None]:
    with ExitStack() as stack:
        if device == "cuda":
            stack.enter_context(CudaKernels())
        yield
