"""How far two methods are apart on one task, over seeds and test items: pure functions on arrays.

The test is Student's paired t over seeds. Sign flips of n seeds have no p-value below 2 / 2ⁿ, so that three to five
seeds could never tell anything at 5 %; t holds its level there if differences between seeds are about normal. Where
items were kept, seeds and items are both taken as drawn at random (Clark 1973,
https://doi.org/10.1016/S0022-5371(73)80014-3: the quasi F with Satterthwaite's degrees of freedom).
"""

import string
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np

from bench.tables.statistics.aggregate import LEVEL, RESAMPLES, Array

ALPHABET = string.ascii_letters
SMALLEST = 1e-12  # of the mean: a spread below this is rounding


@dataclass(frozen=True)
class Spread:
    """Mean differences and how sure they are; each an array of the same shape.

    Attributes:
        mean: difference, in the scores' unit.
        error: standard error of `mean`.
        freedom: degrees of freedom of `error`.
        draws: how many independent differences there are.
    """

    mean: Array
    error: Array
    freedom: Array
    draws: int


def over_one(differences: Array) -> Spread:
    """Of differences drawn one way, seeds or items.

    Args:
        differences: shape `(…, draws)`, at least two draws.
    """
    draws = differences.shape[-1]
    mean = differences.mean(axis=-1)
    error = differences.std(axis=-1, ddof=1) / draws**0.5
    return Spread(mean, error, np.full(mean.shape, draws - 1.0), draws)


def over_both(differences: Array) -> Spread:
    """Of differences of which seeds and items were both drawn.

    The variance of the mean is (MS_seeds + MS_items - MS_rest) / (seeds · items), and never less than that of seeds
    alone or of items alone.

    Args:
        differences: shape `(…, seeds, items)`, at least two of each.
    """
    seeds, items = differences.shape[-2:]
    mean = differences.mean(axis=(-2, -1))
    by_seed, by_item = differences.mean(axis=-1), differences.mean(axis=-2)
    of_seeds, of_items = items * by_seed.var(axis=-1, ddof=1), seeds * by_item.var(axis=-1, ddof=1)
    rest = differences - by_seed[..., :, None] - by_item[..., None, :] + mean[..., None, None]
    of_rest = (rest**2).sum(axis=(-2, -1)) / ((seeds - 1) * (items - 1))
    total = np.maximum(of_seeds + of_items - of_rest, np.maximum(of_seeds, of_items))
    below = of_seeds**2 / (seeds - 1) + of_items**2 / (items - 1) + of_rest**2 / ((seeds - 1) * (items - 1))
    with np.errstate(all="ignore"):
        freedom = np.where(below > 0, np.maximum(total**2 / below, 1.0), seeds - 1.0)
    return Spread(mean, np.sqrt(total / (seeds * items)), freedom, seeds)


def spread_of(differences: Array) -> Spread | None:
    """The spread of differences, shape `(…, seeds, items)`, one item where none were kept; None for single numbers."""
    seeds, items = differences.shape[-2:]
    if items == 1:
        return over_one(differences[..., 0]) if seeds > 1 else None
    return over_both(differences) if seeds > 1 else over_one(differences[..., 0, :])


def p_values(spread: Spread) -> Array:
    """Two-sided p-values of no difference.

    Differences that are the same each time have no spread to be held against: theirs is the p-value of their signs,
    2 / 2ⁿ of n draws, and 1 where they are all 0.
    """
    from scipy.special import stdtr  # Student's t; scipy.stats takes a second to import

    flat = spread.error <= SMALLEST * np.maximum(np.abs(spread.mean), SMALLEST)
    with np.errstate(all="ignore"):
        found = 2 * stdtr(spread.freedom, -np.abs(spread.mean / np.where(flat, 1.0, spread.error)))
    signs = np.where(np.abs(spread.mean) <= SMALLEST, 1.0, 2.0 ** (1 - spread.draws))
    return np.asarray(np.where(flat, signs, found), dtype=float)


def interval(spread: Spread, level: float = LEVEL) -> tuple[float, float]:
    """The differences that the test does not refuse."""
    from scipy.special import stdtrit

    reach = float(stdtrit(spread.freedom, (1 + level) / 2) * spread.error)
    return float(spread.mean) - reach, float(spread.mean) + reach


def bootstrapped(
    differences: Array, level: float = LEVEL, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean difference; seeds and items are each drawn with replacement.

    Args:
        differences: shape `(seeds, items)`.
        level: coverage.
        resamples: how many are drawn.
        seed: of the drawing.
    """
    random = np.random.default_rng(seed)
    weights = [random.multinomial(count, np.full(count, 1 / count), resamples) / count for count in differences.shape]
    means = ((weights[0] @ differences) * weights[1]).sum(axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def holm(values: Array) -> Array:
    """Holm's correction of p-values, shape `(comparisons,)`; Holm 1979, https://www.jstor.org/stable/4615733.

    As statsmodels' `multipletests`, which would take longer to import than a table to make.
    """
    order = np.argsort(values, kind="stable")
    corrected = np.empty(len(values))
    corrected[order] = np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1))
    return np.minimum(corrected, 1.0)


def letters(corrected: Array, level: float = LEVEL) -> list[str]:
    """Letters of which two methods share one exactly if they cannot be told apart (Piepho 2004).

    A letter for each largest group of methods of which no two can be told apart. Where there are more groups than
    letters, nobody gets any.

    Args:
        corrected: p-values of all pairs after correction, symmetric, shape `(methods, methods)`, the best method first.
        level: 1 − α.
    """
    same = corrected >= 1 - level
    near = [frozenset(np.flatnonzero(row).tolist()) - {at} for at, row in enumerate(same)]
    groups = list(islice(_groups(frozenset(), frozenset(range(len(near))), frozenset(), near), len(ALPHABET) + 1))
    if len(groups) > len(ALPHABET):
        return [""] * len(near)
    groups.sort(key=sorted)
    return [
        "".join(letter for letter, group in zip(ALPHABET, groups, strict=False) if at in group)
        for at in range(len(near))
    ]


def _groups(
    group: frozenset[int], more: frozenset[int], done: frozenset[int], near: list[frozenset[int]]
) -> Iterator[frozenset[int]]:
    """The largest groups of which all are near to each other (Bron and Kerbosch 1973, with a pivot)."""
    if not more and not done:
        yield group
        return
    pivot = max(more | done, key=lambda at: (len(more & near[at]), -at))
    for at in sorted(more - near[pivot]):
        yield from _groups(group | {at}, more & near[at], done & near[at], near)
        more, done = more - {at}, done | {at}
