"""Where in a training step the memory is how large: every moment with its place, not the largest alone."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import nn

from bench.metering.account import Account, Block, Moment

OUTSIDE = -1  # of autograd's graph task: no backward pass is running
UNNUMBERED = 2**63  # autograd numbers its operations in the order of the forward pass, but not the sums of gradients


class Region(NamedTuple):
    """A stretch of the model's forward pass, or of the backward pass of what was computed there.

    Attributes:
        stack: the number of a stack of blocks, those of T5's encoder being 0; -1 before the first one.
        block: the number of a block in it, from 0; None behind its last one.
    """

    stack: int
    block: int | None


class Place(NamedTuple):
    """A stretch of a training step.

    Attributes:
        passes: how many forward passes have begun; 0 before all.
        part: "forward", "loss" for what is between this and the backward pass, "backward", or "update" for all up to
            the next forward pass.
        region: None outside of both passes.
    """

    passes: int
    part: str
    region: Region | None


BEFORE = Region(-1, None)


@dataclass(frozen=True)
class PlacedMoment(Moment):
    """A moment that knows its place, and how many blocks had changed their part before it."""

    place: Place
    moves: int


class Places(Account):
    """An account that keeps all `moments`, by their place, in the order of time.

    What a backward pass works on is told by autograd, which numbers operations in the forward pass; a block that is
    computed again for its gradients (checkpointing) is known by its own call.
    """

    def __init__(self) -> None:
        self.moments: dict[Place, list[PlacedMoment]] = {}
        self._moves: list[tuple[int, int, str, str]] = []  # birth and size of a block, its part before and after
        self._passes = 0
        self._in_forward = self._is_back = False
        self._region = BEFORE
        self._again: Region | None = None
        self._begins: list[int] = [0]  # autograd's numbers from which on the forward pass was in …
        self._regions: list[Region] = [BEFORE]  # … these
        super().__init__()

    def follow(self, model: nn.Module, stacks: Sequence[Sequence[nn.Module]]) -> None:
        """Let the model and its blocks, stack by stack, tell when they are called."""
        model.register_forward_pre_hook(self._begin)
        model.register_forward_hook(self._finish, always_call=True)
        for stack, blocks in enumerate(stacks):
            for number, block in enumerate(blocks):
                block.register_forward_pre_hook(partial(self._enter, Region(stack, number)))
                end = Region(stack, None if block is blocks[-1] else number)
                block.register_forward_hook(partial(self._leave, end), always_call=True)

    def moment(self, extra: int = 0) -> PlacedMoment:
        """Now, and here; see `Account.moment`."""
        parts = self.parts | {"rest": self.parts["rest"] + extra}
        return PlacedMoment(parts, self.total + extra, self._births, self._place(), len(self._moves))

    def reach(self, extra: int = 0) -> None:
        """Now was a moment."""
        self.reach_earlier(self.moment(extra))

    def reach_earlier(self, moment: Moment) -> None:
        """So was one before."""
        assert isinstance(moment, PlacedMoment)
        self.moments.setdefault(moment.place, []).append(moment)

    def move(self, block: Block, part: str) -> None:
        """It is of another part, and has been all the time."""
        self._moves.append((block.born, block.size, block.part, part))
        super().move(block, part)

    def parts_at(self, moment: PlacedMoment) -> dict[str, int]:
        """Bytes by part that lived at a moment, by what is known of them now."""
        parts = dict(moment.parts)
        for born, size, before, after in self._moves[moment.moves :]:
            if born <= moment.births:
                parts[before] -= size
                parts[after] += size
        return parts

    def _place(self) -> Place:
        if torch._C._current_graph_task_id() != OUTSIDE:
            self._is_back = True
            return Place(self._passes, "backward", self._again or self._worked_on())
        if self._in_forward:
            return Place(self._passes, "forward", self._region)
        return Place(self._passes, "update" if self._is_back or not self._passes else "loss", None)

    def _worked_on(self) -> Region:
        node = torch._C._current_autograd_node()
        number = UNNUMBERED if node is None else node._sequence_nr()
        if number < UNNUMBERED:
            self._region = self._regions[bisect_right(self._begins, number) - 1]
        return self._region

    def _begin(self, *_: Any) -> None:
        self._passes += 1
        self._in_forward, self._is_back, self._region = True, False, BEFORE
        self._begins, self._regions = [0], [BEFORE]

    def _finish(self, *_: Any) -> None:
        self._in_forward = False

    def _enter(self, region: Region, *_: Any) -> None:
        if torch._C._current_graph_task_id() != OUTSIDE:
            self._again = region
        else:
            self._go_to(region)

    def _leave(self, region: Region, *_: Any) -> None:
        if torch._C._current_graph_task_id() != OUTSIDE:
            self._again = None
        elif region.block is None:
            self._go_to(region)

    def _go_to(self, region: Region) -> None:
        self._region = region
        self._begins.append(torch._C._autograd._get_sequence_nr())
        self._regions.append(region)
