"""A share of the training rows that is cut off, to be scored in place of what is reported while settings are chosen.

Rows with the same text never fall on both sides of a cut. Which side a text falls on is decided by a hash of it and a
seed, so that it does not depend on the order of the rows.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from bench.data.source import Located
from bench.errors import UserError
from bench.identity.digests import row_key

FEWEST = 20  # rows that a share is cut from
QUANTILES = 10  # of numbers, each of which has its share
CUT = "data.score_on=selection"  # in messages
SELECTION = "selection"  # what the share is called among a task's splits


@dataclass(frozen=True)
class Strata:
    """What a share has as much of as the rest: each label, or each range of a number.

    Attributes:
        column: that has it.
        labels: what they are called, in the order of the column's numbers; None: of numbers, by their quantiles.
    """

    column: str
    labels: tuple[str, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class Selection:
    """A share of the rows of one split.

    Attributes:
        found: the split.
        split: its name.
        texts: its columns of which rows with the same content stay together.
        share: of the different texts.
        seed: decides which.
        strata: what is cut in equal shares; None: nothing is looked at.
        group: further columns of which rows with the same content stay together.
    """

    found: Located
    split: str
    texts: tuple[str, ...]
    share: float
    seed: int
    strata: Strata | None = None
    group: tuple[str, ...] = ()

    def told(self) -> dict[str, Any]:
        """What a record says of it."""
        return {"split": self.split, "share": self.share, "seed": self.seed}

    def scored(self) -> Located:
        """The share. Reading it raises UserError where there are too few rows to cut any off."""
        return Located(self.found.fingerprint, self._key("scored"), lambda: self._side(scored=True))

    def rest(self) -> Located:
        """All other rows of the split. Reading them raises UserError where there are too few."""
        return Located(self.found.fingerprint, self._key("rest"), lambda: self._side(scored=False))

    def without(self, others: Located, texts: Sequence[str]) -> Located:
        """Rows from elsewhere, without those that have a text of the share.

        Args:
            others: the rows.
            texts: their columns that stand for `self.texts`.
        """

        def read() -> pa.Table:
            table = others.rows()
            kept = [key not in self._chosen for key in text_keys(table, texts, self.seed)]
            if not any(kept):
                raise UserError(f"{CUT}: every row that is trained on has a text of the share of {self.split}")
            return table.filter(pa.array(kept))

        return Located(others.fingerprint, f"{others.key} {list(texts)} {self._key('without')}", read)

    def _key(self, side: str) -> str:
        asked = [self.texts, self.share, self.seed, self.strata, self.group, side]
        return f"{self.found.key} {SELECTION} {asked}"

    @cached_property
    def _table(self) -> pa.Table:
        return self.found.rows()

    @cached_property
    def _keys(self) -> list[bytes]:
        """Of each row's texts."""
        return text_keys(self._table, self.texts, self.seed)

    def _side(self, *, scored: bool) -> pa.Table:
        return self._table.filter(pa.array([(key in self._chosen) == scored for key in self._keys]))

    @cached_property
    def _chosen(self) -> set[bytes]:
        """The keys of the share's texts."""
        if len(self._keys) < FEWEST:
            raise UserError(
                f"{CUT}: {self.split} has {len(self._keys)} rows, too few to cut a share off; it takes {FEWEST}"
            )
        units = self._keys
        if self.group:
            units = _together(units, text_keys(self._table, self.group, self.seed))
        if len(set(units)) < 2:
            raise UserError(f"{CUT}: all rows of {self.split} belong together, and no share can be cut off")
        chosen: set[bytes] = set()
        for members in self._parts(units):
            chosen |= share_of(members, self.share, least=1)
        return {key for key, unit in zip(self._keys, units, strict=True) if unit in chosen}

    def _parts(self, units: Sequence[bytes]) -> Iterable[Sequence[bytes]]:
        """The different units, apart by what is cut in equal shares; each counts by its first row."""
        first = {unit: row for row, unit in reversed(list(enumerate(units)))}
        if self.strata is None:
            return [list(first)]
        values = self._table.column(self.strata.column).to_pylist()
        if self.strata.labels is None:
            return _by_quantile({unit: float(values[row]) for unit, row in first.items()}, self.share)
        parts: dict[int, list[bytes]] = defaultdict(list)
        for unit, row in first.items():
            parts[values[row]].append(unit)
        for label, members in sorted(parts.items()):
            if len(members) < 2:
                raise UserError(
                    f"{CUT}: one text of {self.split} has the label {self.strata.labels[label]}, and both sides of the "
                    "cut need one"
                )
        return parts.values()


def text_keys(table: pa.Table, columns: Sequence[str], seed: int) -> list[bytes]:
    """A key for each row, the same for the same texts; in the order of the keys, texts are shuffled.

    Args:
        table: with these columns.
        columns: of texts.
        seed: of the order.
    """
    texts = (table.column(name).to_pylist() for name in columns)
    return [row_key((text or "" for text in row), seed) for row in zip(*texts, strict=True)]


def share_of(keys: Iterable[bytes], share: float, *, least: int = 0) -> set[bytes]:
    """A share of the different keys: the first in their order.

    Args:
        keys: see `text_keys`.
        share: of the different ones.
        least: how many there are at least in the share, and beside it.
    """
    different = sorted(set(keys))
    count = max(least, min(len(different) - least, round(share * len(different))))
    return set(different[:count])


def _together(keys: Sequence[bytes], groups: Sequence[bytes]) -> list[bytes]:
    """One key for all rows that hang together, by their texts or by their group: the least of their groups'."""
    above: dict[bytes, bytes] = {}

    def top(key: bytes) -> bytes:
        while above.setdefault(key, key) != key:
            above[key] = above[above[key]]
            key = above[key]
        return key

    first: dict[bytes, bytes] = {}
    for key, group in zip(keys, groups, strict=True):
        low, high = sorted((top(first.setdefault(key, group)), top(group)))
        above[high] = low
    return [top(group) for group in groups]


def _by_quantile(numbers: Mapping[bytes, float], share: float) -> list[list[bytes]]:
    """The units in as many equal parts, from the least number to the largest, as a share can have one of each."""
    order = sorted(numbers, key=lambda unit: (numbers[unit], unit))
    count = max(1, min(QUANTILES, int(min(share, 1 - share) * len(order))))
    return [list(part) for part in np.array_split(np.array(order, dtype=object), count)]
