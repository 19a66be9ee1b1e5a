"""Statistics over seeds: pure functions on arrays. Non-finite scores are never left out; they make the result NaN."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Statistic = Callable[..., Array]

STATISTICS: dict[str, Statistic] = {"mean": np.mean, "median": np.median}


def centre(values: Array, statistic: str = "mean") -> float:
    """Mean or median of `values`, shape `(seeds,)`; NaN for none."""
    return float(STATISTICS[statistic](values)) if len(values) else float("nan")


def deviation(values: Array) -> float | None:
    """Sample standard deviation (n − 1 below) of `values`, shape `(seeds,)`; None for fewer than two."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else None


def bootstrap_interval(
    values: Array, statistic: str = "mean", level: float = 0.95, resamples: int = 2000, seed: int = 0
) -> tuple[float, float] | None:
    """Percentile bootstrap interval over seeds; Efron 1979, https://doi.org/10.1214/aos/1176344552.

    Args:
        values: scores, shape `(seeds,)`.
        statistic: "mean" or "median".
        level: coverage, such as 0.95.
        resamples: how many samples of the same size are drawn with replacement.
        seed: of the drawing, so that a table is the same each time.

    Returns:
        Lower and upper bound; None for fewer than two values or one that is not finite.
    """
    if len(values) < 2 or not np.isfinite(values).all():
        return None
    drawn = np.random.default_rng(seed).choice(values, size=(resamples, len(values)))
    centres = STATISTICS[statistic](drawn, axis=1)
    low, high = np.quantile(centres, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def ranks(values: Array, digits: int, higher: bool) -> list[int | None]:
    """Mark the best (1) and second best (2) of `values`, shape `(rows,)`; equal as printed is equal.

    Nothing is marked where fewer than two values are finite; ties share their rank, and after a tie for the best
    there is no second best.
    """
    finite = np.isfinite(values)
    if finite.sum() < 2:
        return [None] * len(values)
    printed = np.round(values if higher else -values, digits)
    places = [
        1 + int((printed[finite] > value).sum()) if good else None for value, good in zip(printed, finite, strict=True)
    ]
    return [place if place is not None and place <= 2 else None for place in places]
