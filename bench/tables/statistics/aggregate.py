"""Scores of many runs in few figures: Agarwal et al. 2021, https://arxiv.org/abs/2108.13264, as their rliable has it.

Pure functions on arrays. Scores are of shape `(seeds, tasks)`, all on one scale on which higher is better.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

LEVEL = 0.95
RESAMPLES = 2000


def interquartile_mean(scores: Array) -> Array:
    """The mean of the middle half of all runs: `scipy.stats.trim_mean(scores, 0.25)` of the flat array.

    Args:
        scores: shape `(…, seeds, tasks)`; the result is of shape `(…)`.
    """
    from scipy.stats import trim_mean

    return np.asarray(trim_mean(scores.reshape(*scores.shape[:-2], -1), 0.25, axis=-1))


def probability_of_improvement(first: Array, second: Array) -> Array:
    """The mean over tasks of P(X > Y) + P(X = Y) / 2, which is Mann and Whitney's U / (N · M); of shape `(…)`.

    Args:
        first: scores X, shape `(…, N, tasks)`.
        second: scores Y, shape `(…, M, tasks)`.
    """
    apart = first[..., :, None, :] - second[..., None, :, :]
    return np.asarray(((1 + np.sign(apart)) / 2).mean(axis=(-3, -2, -1)))


def performance_profile(scores: Array, thresholds: Array) -> Array:
    """The share of runs above each threshold, shape `(thresholds,)`."""
    return np.asarray((scores.ravel()[None, :] > thresholds[:, None]).mean(axis=1), dtype=float)


def stratified_interval(
    figure: Callable[..., Array],
    scores: Sequence[Array],
    *,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> tuple[float, float]:
    """Percentile interval of a figure; seeds are drawn with replacement within each task, and of each array apart.

    Args:
        figure: of as many arrays as `scores` has.
        scores: each `(seeds, tasks)`.
        level: coverage.
        resamples: how many are drawn.
        seed: of the drawing.
    """
    random = np.random.default_rng(seed)
    found = figure(*(_drawn(one, resamples, random) for one in scores))
    low, high = np.quantile(found, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _drawn(scores: Array, resamples: int, random: np.random.Generator) -> Array:
    """Resamples of shape `(resamples, seeds, tasks)`."""
    drawn = random.integers(0, len(scores), (resamples, *scores.shape))
    return np.take_along_axis(scores[None], drawn, axis=1)
