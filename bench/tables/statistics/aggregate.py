"""Scores of several tasks and seeds in one figure: pure functions on arrays.

Agarwal et al. 2021, https://arxiv.org/abs/2108.13264, section 4, whose definitions these are.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

RESAMPLES = 2000
TRIMMED = 0.25  # of the runs, at each end


def interquartile_mean(scores: Array) -> float:
    """The mean of the middle half of all runs: no outlier moves it, and it is of more runs than the median.

    Args:
        scores: of runs, `(seeds, tasks)`.
    """
    ordered = np.sort(scores, axis=None)
    cut = int(TRIMMED * ordered.size)
    return float(ordered[cut : ordered.size - cut].mean())


def improvement(first: Array, second: Array) -> float:
    """The probability that a run of one method is better than one of another, of the same task; the mean over tasks.

    Args:
        first: scores, larger is better, `(seeds, tasks)`.
        second: the other's, `(seeds of its own, tasks)`.
    """
    above = (first[:, None, :] > second[None, :, :]).mean(axis=(0, 1))
    level = (first[:, None, :] == second[None, :, :]).mean(axis=(0, 1))
    return float((above + level / 2).mean())


def profile(scores: Array, thresholds: Sequence[float]) -> Array:
    """The share of runs that score above each threshold, `(thresholds,)`; a mean over tasks.

    Args:
        scores: of runs, `(seeds, tasks)`.
        thresholds: in the scores' unit.
    """
    return np.array([(scores > threshold).mean() for threshold in thresholds])


def stratified_interval(
    scores: Array,
    statistic: Callable[[Array], float],
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> tuple[float, float] | None:
    """Percentile bootstrap interval of a statistic over tasks: seeds are drawn anew within each task.

    Args:
        scores: of runs, `(seeds, tasks)`.
        statistic: of such an array.
        level: coverage.
        resamples: how many are drawn.
        seed: of the drawing.

    Returns:
        Lower and upper bound; None for fewer than two seeds.
    """
    seeds, tasks = scores.shape
    if seeds < 2:
        return None
    random = np.random.default_rng(seed)
    drawn = random.integers(0, seeds, (resamples, seeds, tasks))
    values = [statistic(np.take_along_axis(scores, rows, axis=0)) for rows in drawn]
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
