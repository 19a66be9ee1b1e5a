"""The peak of training memory, foretold: the training loop itself runs one or two steps on fake tensors."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

import bench.system.quiet  # noqa: F401  # before the libraries that it silences
from bench.configuration.cell import Cell
from bench.configuration.compose import build
from bench.configuration.number_types import precision_for
from bench.configuration.schema import AttentionKind, Precision, Quantisation, TrainingConfig, Weights
from bench.data.example import Padding
from bench.data.synthetic import Shape
from bench.metering.account import Account
from bench.metering.parameters import count_all, count_parameters
from bench.metering.storages import StorageTracker
from bench.metering.time import StepClock
from bench.methods.base import Batch, Method, Setting
from bench.methods.loading import storage
from bench.models.attention import Circumstances, settle
from bench.models.families import structure_of
from bench.models.head import head_parameters, train_head, with_pooler
from bench.models.load import build_empty, load_architecture
from bench.models.number_types import dtype_of, lower, set_trained
from bench.models.quantisation import Packing
from bench.models.source import checkpoint_at_hand
from bench.planning.asked import Trace
from bench.planning.batch import largest_batch
from bench.planning.cuda_kernels import CudaKernels, recomputed
from bench.planning.depths import Depths, Whole, described, largest_moment, stacks_of, with_depths
from bench.planning.fake import fake_tensors, materialise
from bench.planning.line import Traced
from bench.planning.optimisers import planned
from bench.planning.places import Place, Places
from bench.records.schema import MemorySplit, Parameters
from bench.tasks.build import task_of
from bench.training.arithmetic import Arithmetic
from bench.training.loop import gradients_of, train
from bench.training.losses import Losses
from bench.training.optimiser import make_optimiser, make_schedule, step_count
from bench.training.padding_free import settle_padding_free

FAKE = torch.device("cpu")  # where fake tensors say that they are
USUAL_EXAMPLES = 1000  # of a task that does not say how many it has
# cuBLAS works in memory of the allocator: once for the thread of the forward pass, once for that of the backward pass.
# Sizes: getChosenWorkspaceSize in aten/src/ATen/cuda/CublasHandlePool.cpp.
WORKSPACE, WORKSPACE_HOPPER, HOPPER = 8_519_680, 33_554_432, (9, 0)


@dataclass(frozen=True)
class Prediction:
    """What a cell's training will need.

    Attributes:
        parameters: counts.
        peak: bytes at the largest moment of training.
        parts: what they hold.
        flops: of one optimizer step, floating-point operations of matrix products and attention, as PyTorch's flop
            counter counts them; a checkpointed block's second forward pass included.
        attention: what the cell would compute with on that device; see `bench.models.attention`.
        padding_free: whether its batches would be; see `bench.training.padding_free`.
    """

    parameters: Parameters
    peak: int
    parts: MemorySplit
    flops: int
    attention: AttentionKind = AttentionKind.sdpa
    padding_free: bool = False


@dataclass(frozen=True)
class _Adapted:
    """What a step of training needs: the adapted model on the meta device, and a batch of the largest size."""

    model: nn.Module
    method: Method
    setting: Setting
    precision: Precision
    attention: AttentionKind
    padding_free: bool
    parameters: Parameters
    batch: Batch
    stacks: list[tuple[str, list[nn.Module]]]  # its blocks

    def held(self, device: str) -> dict[str, int]:
        """Bytes of the model by part."""
        tracker = StorageTracker(torch.device(device), lives_on=torch.device("meta"))
        tracker.hold(self.model)
        return vars(tracker.living)

    def blocks(self) -> tuple[tuple[Any, ...], ...]:
        """What the blocks are; none where they are not the model's any more."""
        inside = set(self.model.modules())
        if not all(block in inside for _, blocks in self.stacks for block in blocks):
            return ()
        return described(blocks for _, blocks in self.stacks)


def predict(cell: Cell, device: str, trace: Trace = Trace.blocks) -> Prediction:
    """Run the training of `cell` on fake tensors, with the largest batch that its settings allow.

    The first optimizer step makes the optimizer's state; the second has it, and gradients of a first micro-batch.

    Args:
        cell: what would be run; neither its weights nor its data are read, only its model's configuration.
        device: "cuda" or "cpu": whose kernels to reckon with.
        trace: whether blocks that are alike are followed once, or each.

    Raises:
        UserError: model, task and method do not fit together, or the task makes no synthetic batches.
    """
    whole = _adapted(cell, device)
    parts_and_flops = _from_shallow(cell, device, whole) if trace == Trace.blocks else None
    if parts_and_flops is None:
        account = Account()
        flops = _followed(whole, cell.training, device, account)
        parts_and_flops = account.peak.parts, flops
    parts, flops = parts_and_flops
    workspace = 2 * _workspace() if device == "cuda" else 0
    split = MemorySplit(**parts | {"rest": parts["rest"] + workspace})
    peak = sum(vars(split).values())
    return Prediction(whole.parameters, peak, split, flops, whole.attention, whole.padding_free)


def _from_shallow(cell: Cell, device: str, whole: _Adapted) -> tuple[dict[str, int], int] | None:
    """What lives at the peak, and the operations of a step, from models of few blocks; None where these do not tell."""
    names = [name for name, _ in whole.stacks]

    def trace(depths: Depths) -> Traced:
        shallow, places = _adapted(cell, device, dict(zip(names, depths, strict=True))), Places()
        held, blocks = shallow.held(device), shallow.blocks()
        shapes = {name: tuple(parameter.shape) for name, parameter in shallow.model.named_parameters()}
        flops = _followed(shallow, cell.training, device, places)
        totals = {place: [moment.total for moment in moments] for place, moments in places.moments.items()}

        def parts(place: Place, at: int) -> dict[str, int]:
            return places.parts_at(places.moments[place][at])

        return Traced(held, shapes, totals, parts, flops, blocks)

    return largest_moment(Whole(whole.held(device), whole.blocks()), trace)


def _adapted(cell: Cell, device: str, depths: dict[str, int] | None = None) -> _Adapted:
    """The model of a cell as its method adapts it, with all its blocks or with so many in each stack."""
    task, method, training = task_of(cell), build(cell.config["method"], Method), cell.training
    source = replace(cell.base, weights=Weights.random) if cell.base.architecture else cell.base
    architecture = load_architecture(source, task.head())
    base = replace(source, weights=Weights.random)
    if depths is not None:
        architecture = with_depths(architecture, list(depths), tuple(depths.values()))
    empty, checkpoint = build_empty(base, architecture), checkpoint_at_hand(cell.base)
    structure = with_pooler(structure_of(empty, base.family, base.structure), empty, checkpoint)
    dtype = dtype_of(cell.base, architecture, checkpoint)
    precision = precision_for(dtype, training.precision, training.master_weights)
    where = Circumstances(torch.device(device), precision, method.attention_limit, planned=True)
    base = settle(base, architecture, where)
    setting = Setting(
        base.family,
        structure,
        total_steps=step_count(replace(training, max_steps=None), _example_count(task)),
        max_length=task.longest_input(training.max_length),
        gradient_checkpointing=training.gradient_checkpointing,
        **storage(base, training, method, dtype),
    )
    setting.check()
    method.check(setting)
    multiple = 8 if device == "cuda" else 1
    padding = Padding(architecture.pad_token_id or 0, multiple, most=setting.max_length)
    shape = Shape(
        training.micro_batch_size or training.batch_size, training.max_length, training.max_length,
        architecture.vocab_size, padding.token, seed=0,
    )  # fmt: skip
    padding_free = settle_padding_free(training, base.attention, architecture, method, setting)
    batch = largest_batch(task.synthesise(shape), padding, base.attention, padding_free=padding_free.used)
    model = build_empty(base, architecture)
    blocks = [(name, [model.get_submodule(path) for path in paths]) for name, paths in stacks_of(structure)]
    base_total = count_all(model)
    lower(model, structure, setting.dtype)
    with torch.device("meta"):
        if setting.quantisation != Quantisation.none:
            # Imported late: it draws in bitsandbytes, which must not be loaded before a worker has its GPU.
            from bench.planning.packed import pack

            pack(model, structure.linears, Packing.of(base, setting.quantisation), device)
        if setting.gradient_checkpointing:
            contexts = {"context_fn": recomputed} if device == "cuda" else {}
            model.gradient_checkpointing_enable({"use_reentrant": False, **contexts})  # type: ignore[operator]
        model = method.apply(model, setting)
    train_head(model, structure)
    set_trained(model, setting.trained_dtype)
    parameters = count_parameters(model, method, structure, base_total)
    return _Adapted(
        model, method, setting, precision, base.attention, padding_free.used, parameters, batch, blocks
    )  # fmt: skip


def _followed(adapted: _Adapted, training: TrainingConfig, device: str, account: Account) -> int:
    """Train on fake tensors, and keep account; returns the operations of a whole step."""
    # Imported among fake tensors, its own tables and bitsandbytes' would be fake too, and counted.
    import peft  # noqa: F401

    model = adapted.model
    if isinstance(account, Places):
        account.follow(model, [blocks for _, blocks in adapted.stacks])
    with fake_tensors() as fake, _kernels_of(device):
        materialise(model.train())
        inputs: Batch = {
            key: fake.from_tensor(value) if isinstance(value, Tensor) else value for key, value in adapted.batch.items()
        }
        return _train(adapted, inputs, training, device=device, account=account)


def _train(adapted: _Adapted, batch: Batch, training: TrainingConfig, *, device: str, account: Account) -> int:
    """The runner's training phase on fake tensors, on the account; returns the operations of a whole step."""
    method, setting, arithmetic = adapted.method, adapted.setting, Arithmetic(adapted.precision, FAKE, scales=False)
    model = arithmetic.wrap(adapted.model)
    tracker = StorageTracker(torch.device(device), lives_on=FAKE, account=account)
    tracker.hold(model)
    with tracker:
        method.prepare(model, lambda: gradients_of(model, iter([[batch]]), arithmetic))
    head = {name for name, _ in head_parameters(model, setting.structure)}
    optimiser = make_optimiser(model, method, head, training, planned(device, tracker))
    several = min(training.accumulation, 2)  # further micro-batches only repeat the second
    steps = iter([[batch], [batch] * several])
    before = tracker.flops
    with tracker.watching(model, optimiser):
        train(
            model, method, steps, optimiser=optimiser, schedule=make_schedule(optimiser, training, setting.total_steps),
            training=training, total_steps=2, family=setting.family, arithmetic=arithmetic,
            clock=StepClock(FAKE), losses=_NoLosses(), evaluate=lambda _: None,
            progress=lambda *_: None, checkpoint=lambda _: None,
        )  # fmt: skip
    return (tracker.flops - before) * training.accumulation // (1 + several)


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


def _workspace() -> int:
    """Of the GPU that is there; without one, of an Ampere such as the survey's A800."""
    hopper = torch.cuda.is_available() and torch.cuda.get_device_capability() >= HOPPER
    return WORKSPACE_HOPPER if hopper else WORKSPACE


def _example_count(task: Any) -> int:
    """Training examples, as far as they are published; some methods have a schedule."""
    rows = [published.rows.get(split) for published, split in task.sources() if split == "train"]
    return next((count for count in rows if count), USUAL_EXAMPLES)


def device_of(cell: Cell) -> str:
    """Whose memory a plan is about: a GPU's, unless the cell is told to run on the CPU."""
    return "cpu" if cell.config["device"] == "cpu" else "cuda"
