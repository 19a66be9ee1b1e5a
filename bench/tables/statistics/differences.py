"""How far two methods are apart on one task, over seeds and test items: pure functions on arrays.

The test is Student's paired t over seeds. Sign flips of n seeds have no p-value below 2 / 2ⁿ, so that three to five
seeds could never tell anything at 5 %; t holds its level there if differences between seeds are about normal. Where
items were kept, seeds and items are both taken as drawn at random: the variance is that of Clark's quasi F (1973,
https://doi.org/10.1016/S0022-5371(73)80014-3), and the p-value the mean of those by the degrees of freedom of either,
weighted by their mean squares, as Cochran and Cox (1957, Experimental Designs, section 4.14) weigh critical values.
Satterthwaite's degrees of freedom are too many where seeds are few: at the small levels that Holm's correction asks
for, several times too many equals are told apart.
"""

import string
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np

from bench.tables.statistics.aggregate import LEVEL, RESAMPLES, Array

ALPHABET = string.ascii_letters
HALVINGS = 40  # of where a number of standard errors is looked for
SMALLEST = 1e-12  # of the mean: a spread below this is rounding


@dataclass(frozen=True)
class Spread:
    """Mean differences and how sure they are.

    Attributes:
        mean: difference, in the scores' unit, shape `(…)`.
        error: standard error of `mean`, shape `(…)`.
        freedom: degrees of freedom of what was drawn, seeds or items or both, shape `(kinds,)`.
        weights: how much each of them counts, shape `(…, kinds)`; their sum is 1.
        draws: how many independent differences there are.
    """

    mean: Array
    error: Array
    freedom: Array
    weights: Array
    draws: int


def over_one(differences: Array) -> Spread:
    """Of differences drawn one way, seeds or items.

    Args:
        differences: shape `(…, draws)`, at least two draws.
    """
    draws = differences.shape[-1]
    mean = differences.mean(axis=-1)
    error = differences.std(axis=-1, ddof=1) / draws**0.5
    return Spread(mean, error, np.array([draws - 1.0]), np.ones((*mean.shape, 1)), draws)


def over_both(differences: Array) -> Spread:
    """Of differences of which seeds and items were both drawn.

    The variance of the mean is (MS_seeds + MS_items - MS_rest) / (seeds · items), and never less than that of seeds
    alone or of items alone. Seeds and items count by their mean squares; of two seeds, whose own may be near zero by
    chance, it counts as the rest's at least.

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
    counted = np.maximum(of_seeds, of_rest) if seeds == 2 else of_seeds
    both = counted + of_items
    weight = np.where(both > 0, counted / np.where(both > 0, both, 1.0), 1.0)
    freedom = np.array([seeds - 1.0, items - 1.0])
    return Spread(mean, np.sqrt(total / (seeds * items)), freedom, np.stack([weight, 1 - weight], axis=-1), seeds)


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
    flat = spread.error <= SMALLEST * np.maximum(np.abs(spread.mean), SMALLEST)
    found = _tails(spread, spread.mean / np.where(flat, 1.0, spread.error))
    signs = np.where(np.abs(spread.mean) <= SMALLEST, 1.0, 2.0 ** (1 - spread.draws))
    return np.asarray(np.where(flat, signs, found), dtype=float)


def _tails(spread: Spread, size: Array) -> Array:
    """The chance of a difference of `size` standard errors or more, either way: Student's t, weighted by kinds."""
    from scipy.special import stdtr  # scipy.stats takes a second to import

    return np.asarray((spread.weights * 2 * stdtr(spread.freedom, -np.abs(size)[..., None])).sum(axis=-1))


def reach(spread: Spread, level: float) -> Array:
    """How large each mean difference would have to be for its p-value to be `level`, shape of the means.

    What lies below could not have been told from none, given this spread. 0 where there is none.
    """
    from scipy.special import stdtrit

    ends = stdtrit(spread.freedom, 1 - level / 2)
    low, high = np.full(spread.mean.shape, ends.min()), np.full(spread.mean.shape, ends.max())
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        too_small = _tails(spread, middle) > level
        low, high = np.where(too_small, middle, low), np.where(too_small, high, middle)
    return np.asarray(high * spread.error, dtype=float)


def interval(spread: Spread, level: float = LEVEL) -> tuple[float, float]:
    """The differences that the test does not refuse, of a single mean."""
    from scipy.optimize import brentq
    from scipy.special import stdtrit

    ends = stdtrit(spread.freedom, (1 + level) / 2)
    within = 0.99 * float(ends.min()), 1.01 * float(ends.max())  # rounding moves the ends themselves
    size = brentq(lambda at: float(_tails(spread, np.array(at))) - (1 - level), *within)
    reach = size * float(spread.error)
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
    """Holm's correction of p-values, shape `(comparisons,)`; Holm 1979, https://www.jstor.org/stable/4615733."""
    from statsmodels.stats.multitest import (
        multipletests,  # a second to import, which a table without tests need not wait
    )

    corrected: Array = multipletests(values, method="holm")[1] if len(values) else values
    return corrected


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
