"""Full fine-tuning of RoBERTa-base at the survey's setting: what memory older libraries would have taken.

Foretells the known cell (batch 32, length 128, fp32, AdamW) several times, each time with one thing more as it was in
older versions, and prints three figures: the predicted peak; what PyTorch's allocator would have given out for it, with
remainders that it does not split off; and what it would have reserved of the device. For the latter two the allocator's
rules (sizes of segments, best fit, splitting and merging; c10/cuda/CUDACachingAllocator.cpp) are replayed on the
storages that the prediction follows. The replay has not been compared with a GPU. The CUDA context comes on top.

    python scripts/explain_memory.py
"""

import bisect
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor

from bench.configuration.compose import Configurations
from bench.metering.storages import CUDA_BLOCK, StorageTracker
from bench.planning import predict as planning
from bench.planning.asked import Trace
from bench.planning.predict import predict
from bench.sweeping.selection import selected
from bench.training.optimiser import make_optimiser

CELL = ["experiment=survey/memory", "model=roberta_base", "method=full"]
MIB = 2**20
# From CUDACachingAllocator.h: the largest size of the small pool; the segments of small sizes, of sizes below the next
# figure, and the multiple that larger ones are rounded up to.
SMALL, SMALL_SEGMENT, MIDDLE_SEGMENT, LARGE, ROUND_LARGE = MIB, 2 * MIB, 20 * MIB, 10 * MIB, 2 * MIB


class Allocator:
    """Hands out pieces of segments as PyTorch's caching allocator does.

    Attributes:
        peak: the most bytes that were given out, what was not split off included.
        reserved: bytes of all segments; none is ever given back.
    """

    def __init__(self) -> None:
        self.reserved = self.peak = self._given = 0
        self._pieces: dict[int, tuple[int, bool]] = {}  # address → size, is free
        self._next: dict[int, int] = {}  # address → that of the piece behind it in the same segment
        self._before: dict[int, int] = {}
        self._free: dict[bool, list[tuple[int, int]]] = {True: [], False: []}  # is small → (size, address), sorted
        self._small: dict[int, bool] = {}
        self._owners: dict[Any, int] = {}

    def serves(self, owner: Any) -> bool:
        """Whether `owner` has a piece."""
        return owner in self._owners

    def take(self, owner: Any, size: int) -> None:
        """Give `owner` a piece."""
        size = -(-size // CUDA_BLOCK) * CUDA_BLOCK
        small = size <= SMALL
        free = self._free[small]
        at = bisect.bisect_left(free, (size, 0))
        address = free.pop(at)[1] if at < len(free) else self._segment(size, small)
        left = self._pieces[address][0] - size
        if left >= CUDA_BLOCK if small else left > SMALL:
            rest = address + size
            self._link(rest, self._next.pop(address, None))
            self._link(address, rest)
            self._pieces[rest], self._small[rest] = (left, True), small
            bisect.insort(free, (left, rest))
        else:
            size += left
        self._pieces[address] = size, False
        self._owners[owner] = address
        self._given += size
        self.peak = max(self.peak, self._given)

    def give_back(self, owner: Any) -> None:
        """Take its piece back, and join it with free neighbours."""
        address = self._owners.pop(owner)
        size, small = self._pieces[address][0], self._small[address]
        self._given -= size
        free = self._free[small]
        behind, before = self._next.get(address), self._before.get(address)
        if behind is not None and self._pieces[behind][1]:
            size += self._swallow(behind, free)
            self._link(address, self._next.pop(behind, None))
        if before is not None and self._pieces[before][1]:
            self._link(before, self._next.pop(address, None))
            del self._pieces[address], self._small[address]
            size += self._pieces[before][0]
            free.remove((self._pieces[before][0], before))
            address = before
        self._pieces[address] = size, True
        bisect.insort(free, (size, address))

    def _swallow(self, address: int, free: list[tuple[int, int]]) -> int:
        size, _ = self._pieces.pop(address)
        free.remove((size, address))
        del self._small[address]
        return size

    def _link(self, first: int, second: int | None) -> None:
        self._next.pop(first, None)
        if second is not None:
            self._next[first], self._before[second] = second, first

    def _segment(self, size: int, small: bool) -> int:
        rounded = MIDDLE_SEGMENT if size < LARGE else -(-size // ROUND_LARGE) * ROUND_LARGE
        whole = SMALL_SEGMENT if small else rounded
        address = self.reserved
        self.reserved += whole
        self._pieces[address], self._small[address] = (whole, True), small
        return address


def replayed(allocator: Allocator) -> type[StorageTracker]:
    """A tracker whose storages are pieces of `allocator`."""

    class Replayed(StorageTracker):
        def hold(self, model: torch.nn.Module) -> None:
            super().hold(model)
            for name in ("workspace", "of the backward pass"):
                if not allocator.serves(name):
                    allocator.take(name, planning.WORKSPACE)

        def _note(self, tensor: Tensor, part: str, new: bool = False) -> None:
            known = len(self._blocks)
            super()._note(tensor, part, new)
            if len(self._blocks) > known:
                key = next(reversed(self._blocks))
                if self._blocks[key].size:
                    allocator.take(key, self._blocks[key].size)

        def _end(self, key: int, watch: Any) -> None:
            super()._end(key, watch)
            if allocator.serves(key):
                allocator.give_back(key)

    return Replayed


@contextmanager
def gradients_kept() -> Iterator[None]:
    """`zero_grad` fills gradients with zeros instead of letting them go, as was PyTorch's default before 2.0."""

    def keeping(*arguments: Any) -> torch.optim.Optimizer:
        optimiser = make_optimiser(*arguments)
        plain = optimiser.zero_grad
        optimiser.zero_grad = lambda set_to_none=False: plain(set_to_none)  # type: ignore[method-assign]
        return optimiser

    with patch.object(planning, "make_optimiser", keeping):
        yield


@contextmanager
def plain_adamw() -> Iterator[None]:
    """AdamW tensor by tensor, with temporaries, instead of the fused kernel."""
    make = torch.optim.AdamW
    with patch.object(torch.optim, "AdamW", lambda *given, fused, **more: make(*given, foreach=False, **more)):
        yield


def main() -> None:
    """Print a line for each step back in time."""
    with Configurations() as configurations:
        (own,) = selected(CELL, configurations.compose)
        now, then = configurations.cell([*own, "model.attention=sdpa"]), configurations.cell(own)
    steps: list[tuple[str, Any, list[Callable[[], Any]]]] = [
        ("as our cells run: fused attention", now, []),
        ("eager attention", then, []),
        ("and AdamW tensor by tensor", then, [plain_adamw]),
        ("and gradients kept between steps", then, [plain_adamw, gradients_kept]),
    ]
    print(f"{'GB (10⁹ bytes)':36}{'peak':>8}{'given out':>11}{'reserved':>10}   reserved, GiB")
    for name, cell, older in steps:
        allocator = Allocator()
        with ExitStack() as stack:
            for change in older:
                stack.enter_context(change())
            stack.enter_context(patch.object(planning, "StorageTracker", replayed(allocator)))
            peak = predict(cell, "cuda", Trace.full).peak
        figures = f"{peak / 1e9:8.2f}{allocator.peak / 1e9:11.2f}{allocator.reserved / 1e9:10.2f}"
        print(f"{name:36}{figures}{allocator.reserved / 2**30:16.2f}")


if __name__ == "__main__":
    main()
