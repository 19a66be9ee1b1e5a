"""The stand-in's own account of its memory: the storages that live on it, views counted once."""

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from torch import Tensor


class Memory:
    """Bytes that live on the device.

    Attributes:
        living: bytes now.
        peak: bytes at the largest moment since `from_here` was entered last.
    """

    def __init__(self) -> None:
        self.living = self.peak = 0
        self._known: dict[int, weakref.ref] = {}
        self._doubtful: tuple[int, int] | None = None

    def take(self, values: Tensor) -> None:
        """Count what a tensor's values lie in, until nothing refers to it any more."""
        storage = values.untyped_storage()
        key = storage._cdata
        if key not in self._known:
            size = storage.nbytes()
            self._known[key] = weakref.ref(storage, partial(self._end, key, size))
            self.living += size

    def reach(self, unless_ends: Tensor | None = None) -> None:
        """Now is a moment that may be the largest; not if what is given turns out to end with the operation."""
        if unless_ends is None:
            self.peak = max(self.peak, self.living)
        else:
            self._doubtful = unless_ends.untyped_storage()._cdata, self.living

    def settle(self) -> None:
        """An operation is over."""
        if self._doubtful is not None and self._doubtful[0] in self._known:
            self.peak = max(self.peak, self._doubtful[1])
        self._doubtful = None

    def _end(self, key: int, size: int, _: object) -> None:
        del self._known[key]
        self.living -= size

    @contextmanager
    def from_here(self) -> Iterator["Memory"]:
        """Within the block the peak is that of the block."""
        self.peak = self.living
        yield self


memory = Memory()
