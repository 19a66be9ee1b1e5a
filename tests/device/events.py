"""What passes between the host and the device, and what makes the host wait: as CUDA's kernels would have it."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

aten = torch.ops.aten

# The host has to know a number before it can go on: a value, or how large the result is. In inference mode some are
# seen by the names that Python calls them by.
WAITS = {
    aten._local_scalar_dense, aten.nonzero, aten.equal, aten.masked_select, aten.bincount, aten._unique2,
    aten.unique_dim, aten.unique_consecutive, aten.histc, aten.item, aten.is_nonzero, aten.allclose,
}  # fmt: skip
INDEXING = {aten.index, aten.index_put, aten.index_put_, aten._index_put_impl_}
TRUTHS = (torch.bool, torch.uint8)


@dataclass
class Events:
    """What has happened so far.

    Attributes:
        to_device: what was copied from the host to the device, one description each, such as "int64 (4, 9)".
        to_host: the same of what was copied back.
        waits: how often the host waited for the device, by what made it wait.
    """

    to_device: list[str] = field(default_factory=list)
    to_host: list[str] = field(default_factory=list)
    waits: Counter[str] = field(default_factory=Counter)

    def copied_to_device(self, value: Tensor, *, waited_for: bool) -> None:
        """A tensor of the host is copied; CUDA does nothing, and waits for nothing, where it has no elements."""
        if value.numel():
            self.to_device.append(described(value))
            if waited_for:
                self.waits[f"copy to the device of {described(value)}"] += 1

    def copied_to_host(self, value: Tensor) -> None:
        """A tensor of the device is copied; the host waits, because its memory is not pinned."""
        if value.numel():
            self.to_host.append(described(value))
            self.waits[f"copy to the host of {described(value)}"] += 1

    def called(self, func: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> None:
        """An operation with a tensor of the device among its operands; copies by themselves are told apart from it."""
        packet = func._overloadpacket
        indices = [index for index in args[1] if index is not None] if packet in INDEXING else []
        if packet in WAITS or any(index.dtype in TRUTHS and index.device.type != "cpu" for index in indices):
            self.waits[str(func)] += 1
        if func is aten.repeat_interleave.Tensor and kwargs.get("output_size") is None:
            self.waits[str(func)] += 1


def described(value: Tensor) -> str:
    """Its type of numbers and its shape."""
    return f"{str(value.dtype).removeprefix('torch.')} {tuple(value.shape)}"


_watching: list[Events] = []


@contextmanager
def watching() -> Iterator[Events]:
    """Within the block, what happens is told to the result; nested blocks are each told."""
    events = Events()
    _watching.append(events)
    try:
        yield events
    finally:
        _watching[:] = [other for other in _watching if other is not events]


def watchers() -> list[Events]:
    """Those who are to be told."""
    return _watching
