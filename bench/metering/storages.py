"""What fills the memory during training: every storage followed from its first operation to its end.

Works on real tensors (any device) and on fake ones alike; the prediction and the measurement share this count. It sees
what PyTorch's operations return, not what a kernel takes and gives back while it runs.
"""

import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from bench.metering.operations import OperationCount
from bench.records.schema import MemorySplit

CUDA_BLOCK = 512  # CUDA's caching allocator hands out multiples of this; torch's notes on CUDA memory management
OUTSIDE = -1  # of autograd's graph task: no backward pass is running


@dataclass
class _Block:
    """One living storage. `watch` is the weak reference that tells of its end."""

    size: int
    part: str
    born: int
    in_forward: bool
    watch: Any


class StorageTracker(TorchDispatchMode):
    """While entered, keeps account of living storages by what they hold, and of the moment of their peak.

    A storage is known by what becomes of it: of those born in the forward pass, what still lives when the backward
    pass begins is an activation kept for it (and so is what checkpointing computes again); what is a parameter's `grad`
    when the optimizer steps is a gradient; what is in the optimizer's state afterwards is state. The account of the
    peak is corrected when this turns out later.

    Attributes:
        peak: bytes at the largest moment so far.
    """

    def __init__(self, device: torch.device, lives_on: torch.device | None = None) -> None:
        """Start with an empty account.

        Args:
            device: whose allocator's sizes to count.
            lives_on: where the storages to follow are, if elsewhere: fake ones always are on the CPU.
        """
        super().__init__()  # type: ignore[no-untyped-call]
        self._type = (lives_on or device).type
        self._multiple = CUDA_BLOCK if device.type == "cuda" else 1
        self._blocks: dict[int, _Block] = {}
        self._bytes = dict.fromkeys(MemorySplit.__dataclass_fields__, 0)
        self._at_peak = dict(self._bytes)
        self._total = self._tick = self._peak_tick = 0
        self._in_forward = self._in_backward = self._paused = False
        self._operations = OperationCount()
        self.peak = 0

    @property
    def flops(self) -> int:
        """Floating-point operations so far."""
        return self._operations.total

    @property
    def split(self) -> MemorySplit:
        """The parts at the peak so far; they add up to it."""
        return MemorySplit(**self._at_peak)

    @property
    def living(self) -> MemorySplit:
        """The parts now."""
        return MemorySplit(**self._bytes)

    @property
    def total(self) -> int:
        """Bytes that live now."""
        return self._total

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
        for parameter in model.parameters():
            part = "trainable_weights" if parameter.requires_grad else "frozen_weights"
            for tensor in (parameter, *quantisation_tensors(parameter)):
                self._note(tensor, part)
            if parameter.grad is not None:
                self._note(parameter.grad, "gradients")
        for buffer in model.buffers():
            self._note(buffer, "frozen_weights")

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
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
        return result

    def _note(self, tensor: Tensor, part: str, new: bool = False) -> None:
        """Count the tensor's storage as `part`; one that is known already changes its part unless it is only `new`."""
        if tensor.device.type != self._type or tensor.layout != torch.strided:
            return
        storage = tensor.untyped_storage()
        key = storage._cdata
        block = self._blocks.get(key)
        if block is None:
            if self._paused:
                part = ""
            size = 0 if self._paused else -(-storage.nbytes() // self._multiple) * self._multiple
            watch = weakref.ref(storage, self._end_of(key))
            self._tick += 1
            self._blocks[key] = _Block(size, part, self._tick, self._in_forward and part == "rest", watch)
            if size:
                self._count(part, size)
        elif not new and block.part != part and block.size:
            self._move(block, part)

    def _count(self, part: str, size: int) -> None:
        self._bytes[part] += size
        self._total += size
        if self._total > self.peak:
            self.peak, self._peak_tick, self._at_peak = self._total, self._tick, dict(self._bytes)

    def _move(self, block: _Block, part: str) -> None:
        """A living block turns out to be of another part; it was one at the peak already if it lived then."""
        accounts = [self._bytes, self._at_peak] if block.born <= self._peak_tick else [self._bytes]
        for account in accounts:
            account[block.part] -= block.size
            account[part] += block.size
        block.part = part

    def _end_of(self, key: int) -> Callable[[Any], None]:
        def end(_: Any) -> None:
            block = self._blocks.pop(key)
            if block.size:
                self._bytes[block.part] -= block.size
                self._total -= block.size

        return end

    def _keep_activations(self) -> None:
        for block in list(self._blocks.values()):
            if block.in_forward and block.part == "rest":
                self._move(block, "activations")

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
