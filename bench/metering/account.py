"""How many bytes live, by what they hold, and how many did at the largest moment."""

from dataclasses import dataclass
from typing import Any

from bench.records.schema import MemorySplit


@dataclass
class Block:
    """One storage.

    Attributes:
        size: bytes, as the allocator counts them.
        part: a field of `MemorySplit`.
        in_forward: born in a forward pass, for nothing that is known yet.
        watch: the weak reference that tells of its end.
        born: its number in the order of births; the account's.
        has_ended: it lives no more.
    """

    size: int
    part: str
    in_forward: bool = False
    watch: Any = None
    born: int = 0
    has_ended: bool = False


@dataclass(frozen=True)
class Moment:
    """What lived at one time: bytes by part, their sum, and how many blocks had been born."""

    parts: dict[str, int]
    total: int
    births: int


class Account:
    """Entries and their sum. A moment is a peak when `reach` is told of it, not before.

    Attributes:
        parts: bytes that live, by part.
        total: their sum.
        peak: the largest moment so far. A block that lived then and turns out to be of another part is of that part
            there too.
    """

    def __init__(self) -> None:
        self.parts = dict.fromkeys(MemorySplit.__dataclass_fields__, 0)
        self.total = self._births = 0
        self.peak = self.moment()

    def enter(self, block: Block) -> None:
        """A block is born."""
        self._births += 1
        block.born = self._births
        self.parts[block.part] += block.size
        self.total += block.size

    def end(self, block: Block) -> None:
        """It is given back."""
        block.has_ended = True
        self.parts[block.part] -= block.size
        self.total -= block.size

    def move(self, block: Block, part: str) -> None:
        """It is of another part, and has been all the time."""
        for parts in (self.parts, self.peak.parts) if block.born <= self.peak.births else (self.parts,):
            parts[block.part] -= block.size
            parts[part] += block.size
        block.part = part

    def moment(self, extra: int = 0) -> Moment:
        """Now, with `extra` bytes of the rest that have no block."""
        return Moment(self.parts | {"rest": self.parts["rest"] + extra}, self.total + extra, self._births)

    def reach(self, extra: int = 0) -> None:
        """Now was a moment; see `moment`."""
        if self.total + extra > self.peak.total:
            self.peak = self.moment(extra)

    def reach_earlier(self, moment: Moment) -> None:
        """So was one before, since which no block changed its part."""
        if moment.total > self.peak.total:
            self.peak = moment
