"""What fills the memory during training: every storage followed from its first operation to its end.

Works on real tensors (any device) and on fake ones alike; the prediction and the measurement share this count. It sees
what PyTorch's operations return, not what a kernel takes and gives back while it runs.
"""

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from bench.metering.account import Account, Block, Moment
from bench.metering.operations import OperationCount
from bench.metering.unseen import converted_bytes, may_reuse_first
from bench.records.schema import MemorySplit

CUDA_BLOCK = 512  # CUDA's caching allocator hands out multiples of this; torch's notes on CUDA memory management
DEVICE = torch.ops.prim.device.default
OUTSIDE = -1  # of autograd's graph task: no backward pass is running


class StorageTracker(TorchDispatchMode):
    """While entered, keeps account of living storages by what they hold, and of the moment of their peak.

    A storage is known by what becomes of it: of those born in the forward pass, what still lives when the backward
    pass begins is an activation kept for it (and so is what checkpointing computes again); what is a parameter's `grad`
    when the optimizer steps is a gradient; what is in the optimizer's state afterwards is state. The account of the
    peak is corrected when this turns out later.
    """

    def __init__(
        self, device: torch.device, lives_on: torch.device | None = None, account: Account | None = None
    ) -> None:
        """Start with an empty account.

        Args:
            device: whose allocator's sizes to count.
            lives_on: where the storages to follow are, if elsewhere: fake ones always are on the CPU.
            account: the account, if a particular one is to be kept.
        """
        super().__init__()  # type: ignore[no-untyped-call]
        self._type = (lives_on or device).type
        self._on_cuda = device.type == "cuda"
        self._multiple = CUDA_BLOCK if self._on_cuda else 1
        self._blocks: dict[int, Block] = {}
        self._account = account or Account()
        self._uncertain: tuple[Block, Moment] | None = None
        self._in_forward = self._in_backward = self._paused = False
        self._operations = OperationCount()

    @property
    def flops(self) -> int:
        """Floating-point operations so far."""
        return self._operations.total

    @property
    def peak(self) -> int:
        """Bytes at the largest moment so far."""
        return self._account.peak.total

    @property
    def split(self) -> MemorySplit:
        """The parts at the peak so far; they add up to it."""
        return MemorySplit(**self._account.peak.parts)

    @property
    def living(self) -> MemorySplit:
        """The parts now."""
        return MemorySplit(**self._account.parts)

    @property
    def total(self) -> int:
        """Bytes that live now."""
        return self._account.total

    @contextmanager
    def watching(self, model: nn.Module, optimiser: torch.optim.Optimizer) -> Iterator["StorageTracker"]:
        """Follow all storages within the block; what the model and the optimizer hold already is taken in first."""
        self.hold(model)
        self._hold_state(optimiser)
        hooks = [
            model.register_forward_pre_hook(partial(self._set_forward, True)),
            model.register_forward_hook(partial(self._set_forward, False), always_call=True),
            optimiser.register_step_pre_hook(lambda *_: self._hold_gradients(optimiser)),
            optimiser.register_step_post_hook(lambda *_: self._hold_state(optimiser)),
        ]
        try:
            with self:
                yield self
        finally:
            for hook in hooks:
                hook.remove()

    @contextmanager
    def uncounted(self) -> Iterator[None]:
        """Leave what is made within the block out of the account for good: it lies elsewhere."""
        self._paused = True
        try:
            yield
        finally:
            self._paused = False

    def hold(self, model: nn.Module) -> None:
        """Take note of a model's parameters, buffers and gradients."""
        self._settle()
        for parameter in model.parameters():
            part = "trainable_weights" if parameter.requires_grad else "frozen_weights"
            for tensor in (parameter, *quantisation_tensors(parameter)):
                self._note(tensor, part)
            if parameter.grad is not None:
                self._note(parameter.grad, "gradients")
        for buffer in model.buffers():
            self._note(buffer, "frozen_weights")
        self._account.reach()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is DEVICE:  # asked of every fake tensor, again and again
            return torch.device("meta") if args[0].fake_mode.in_kernel_invocation else args[0].fake_device
        kwargs = kwargs or {}
        self._settle()
        result = func(*args, **kwargs)
        self._operations.add(func, args, kwargs, result)
        in_backward = torch._C._current_graph_task_id() != OUTSIDE
        if in_backward and not self._in_backward:
            self._keep_activations()
        self._in_backward = in_backward
        # With gradients enabled inside the backward pass, checkpointing computes a block's activations again.
        part = "activations" if in_backward and torch.is_grad_enabled() else "rest"
        for tensor in (result,) if isinstance(result, Tensor) else tree_leaves(result):
            if isinstance(tensor, Tensor):
                self._note(tensor, part, new=True)
        extra = 0 if self._on_cuda else converted_bytes(func, args, result)
        first = None
        if in_backward and not torch.is_grad_enabled() and may_reuse_first(func, args, result):
            first = self._blocks.get(args[0].untyped_storage()._cdata)
        if first is None:
            self._account.reach(extra)
        else:
            self._uncertain = first, self._account.moment(extra)
        return result

    def _settle(self) -> None:
        """After two gradients were added up: the sum took the place of the first, unless that one lives on."""
        if self._uncertain is not None and not self._uncertain[0].has_ended:
            self._account.reach_earlier(self._uncertain[1])
        self._uncertain = None

    def _note(self, tensor: Tensor, part: str, new: bool = False) -> None:
        """Count the tensor's storage as `part`; one that is known already changes its part unless it is only `new`."""
        if (getattr(tensor, "fake_device", None) or tensor.device).type != self._type or tensor.layout != torch.strided:
            return
        storage = tensor.untyped_storage()
        key = storage._cdata
        block = self._blocks.get(key)
        if block is None:
            size = 0 if self._paused else -(-storage.nbytes() // self._multiple) * self._multiple
            block = Block(size, part, in_forward=self._in_forward and part == "rest")
            block.watch = weakref.ref(storage, partial(self._end, key))
            self._blocks[key] = block
            self._account.enter(block)
        elif not new and block.part != part and block.size:
            self._account.move(block, part)

    def _end(self, key: int, _: Any) -> None:
        self._account.end(self._blocks.pop(key))

    def _keep_activations(self) -> None:
        for block in list(self._blocks.values()):
            if block.in_forward and block.part == "rest":
                self._account.move(block, "activations")

    def _set_forward(self, value: bool, *_: Any) -> None:
        self._in_forward = value

    def _hold_gradients(self, optimiser: torch.optim.Optimizer) -> None:
        for group in optimiser.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._note(parameter.grad, "gradients")

    def _hold_state(self, optimiser: torch.optim.Optimizer) -> None:
        for state in optimiser.state.values():
            for value in state.values():
                if isinstance(value, Tensor):
                    self._note(value, "optimiser_state")


def quantisation_tensors(parameter: nn.Parameter) -> Iterator[Tensor]:
    """What bitsandbytes keeps beside a packed parameter: scales, their own scales, and the code tables."""
    state = getattr(parameter, "quant_state", None)
    while state is not None:
        for name in ("absmax", "code", "offset"):
            value = getattr(state, name, None)
            if isinstance(value, Tensor):
                yield value
        state = getattr(state, "state2", None)
