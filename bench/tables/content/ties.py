"""Which of several runs cannot be told apart: all pairs are tested, all tests corrected at once, and letters given.

For tables and for `bench compare` alike; docs/statistics.md has the tests.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from bench.tables.content.pairing import Runs, differences, shared
from bench.tables.statistics.aggregate import LEVEL, Array
from bench.tables.statistics.differences import Spread, holm, letters, p_values, reach, spread_of

UNITS = {(True, True): "seeds and items", (True, False): "seeds", (False, True): "items", (False, False): "none"}
NONE = "none"
ALPHA = 1 - LEVEL


@dataclass
class Pairs:
    """The tests of all pairs of some runs on one score.

    Attributes:
        values: p-values, shape `(runs, runs)`; NaN where there is no test.
        units: how many of the tests took what as drawn at random.
        in_part: how many are of fewer seeds than one of the two has.
        spreads: of the differences, which say what could have been found.
    """

    values: Array
    units: Counter[str] = field(default_factory=Counter)
    in_part: int = 0
    spreads: list[Spread] = field(default_factory=list)

    def reaches(self, level: float) -> Array:
        """How large each difference would have to be for its test to find it at `level`, shape `(tests,)`."""
        return np.concatenate([np.ravel(reach(spread, level)) for spread in self.spreads] or [np.empty(0)])


def unit_of(apart: Array) -> str:
    """What differences of shape `(seeds, items)` are taken as drawn from."""
    return UNITS[apart.shape[0] > 1, apart.shape[1] > 1]


def tested(runs: Sequence[Runs]) -> Pairs:
    """Test all pairs of runs."""
    found = Pairs(np.where(np.eye(len(runs), dtype=bool), 1.0, np.nan))
    by_shape: dict[tuple[int, ...], list[tuple[int, int, Array]]] = {}
    for one, first in enumerate(runs):
        for other in range(one):
            seeds = len(shared(first, runs[other]))
            if seeds:
                apart = differences(first, runs[other])
                by_shape.setdefault(apart.shape, []).append((one, other, apart))
                found.in_part += unit_of(apart) != NONE and seeds < max(len(first.scores), len(runs[other].scores))
    for pairs in by_shape.values():
        spread = spread_of(np.stack([apart for _, _, apart in pairs]))
        if spread is not None:
            ones, others = [one for one, _, _ in pairs], [other for _, other, _ in pairs]
            found.values[ones, others] = found.values[others, ones] = p_values(spread)
            found.units[unit_of(pairs[0][2])] += len(pairs)
            found.spreads.append(spread)
    return found


def corrected(tables: Sequence[Array]) -> tuple[list[Array], int]:
    """P-values of several tables of pairs after Holm's correction over all of them, and how many there are."""
    upper = [np.triu_indices(len(raw), 1) for raw in tables]
    flat = np.concatenate([raw[at] for raw, at in zip(tables, upper, strict=True)] or [np.empty(0)])
    there = np.isfinite(flat)
    flat[there] = holm(flat[there])
    found = []
    for raw, at in zip(tables, upper, strict=True):
        full = np.ones_like(raw)
        full[at], flat = flat[: len(at[0])], flat[len(at[0]) :]
        full.T[at] = full[at]
        found.append(full)
    return found, int(there.sum())


def lettered(values: Array) -> list[str]:
    """A letter or more for each of some runs, the best first, from their corrected p-values.

    Runs that lack a test against others get none: that with most such others first, of equal ones the worse, until all
    that are left are tested against each other.
    """
    left = np.arange(len(values))
    while np.isnan(values[np.ix_(left, left)]).any():
        lacking = np.isnan(values[np.ix_(left, left)]).sum(axis=1)
        left = np.delete(left, len(left) - 1 - int(np.argmax(lacking[::-1])))
    found = [""] * len(values)
    if len(left) > 1:
        for at, text in zip(left.tolist(), letters(values[np.ix_(left, left)]), strict=True):
            found[at] = text
    return found
