"""Many comparisons at once: paired tests over seeds, their correction, and groups that cannot be told apart."""

from collections.abc import Callable, Sequence
from string import ascii_lowercase

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

ROUNDING = 1e-9
FEWEST = 3  # seeds; the spread of two differences tells too little of their mean


def paired_t(differences: Array) -> float | None:
    """Two-sided p-value that the mean of paired differences is 0, by Student's t; None for fewer than three.

    Of the tests for few seeds this one keeps its level where differences are about normal, which means over many test
    items are. A sign-flip test cannot: of five seeds its smallest p-value is 0.0625.

    Args:
        differences: one for each seed, `(seeds,)`.
    """
    from scipy.special import stdtr

    if len(differences) < FEWEST or not np.isfinite(differences).all():
        return None
    if np.ptp(differences) < ROUNDING:  # coarse metrics: equal by their steps, and the spread is not known
        return 1.0 if abs(differences[0]) < ROUNDING else None
    count = len(differences)
    t = differences.mean() / (differences.std(ddof=1) / count**0.5)
    return float(2 * stdtr(count - 1, -abs(t)))


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values, each corrected for all of them; Holm 1979, https://www.jstor.org/stable/4615733, by statsmodels."""
    from statsmodels.stats.multitest import multipletests

    return [float(value) for value in multipletests(list(p_values), method="holm")[1]] if p_values else []


def letters(names: Sequence[str], differ: Callable[[str, str], bool]) -> dict[str, str]:
    """Letters, so that two share one exactly where they cannot be told apart.

    Piepho 2004, https://doi.org/10.1198/1061860043515: the insert-absorb algorithm. The first name has an a.

    Args:
        names: in the order in which letters are given, best first.
        differ: whether two of them can be told apart.
    """
    groups = [set(names)]
    for at, one in enumerate(names):
        for other in names[at + 1 :]:
            if differ(one, other):
                both = [group for group in groups if {one, other} <= group]
                parts = [group - {name} for group in both for name in (one, other)]
                groups = _absorbed([*(group for group in groups if group not in both), *parts])
    place = {name: at for at, name in enumerate(names)}
    groups.sort(key=lambda group: sorted(map(place.__getitem__, group)))
    return {name: "".join(_letter(at) for at, group in enumerate(groups) if name in group) for name in names}


def _absorbed(groups: list[set[str]]) -> list[set[str]]:
    """Without groups that are part of another."""
    kept: list[set[str]] = []
    for group in sorted(groups, key=len, reverse=True):
        if not any(group <= other for other in kept):
            kept.append(group)
    return kept


def _letter(number: int) -> str:
    more, at = divmod(number, len(ascii_lowercase))
    return ascii_lowercase[at] + (str(more) if more else "")
