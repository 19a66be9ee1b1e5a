"""What a search has bought: the expected best score after n trials, and how much the scores vary within the space.

Pure functions of scores; larger is better.
"""

from collections.abc import Sequence
from math import comb

MIDDLE = (0.25, 0.75)  # of the space, on its scale


def expected_best(scores: Sequence[float], trials: int) -> float:
    """The expected best score of `trials` trials, of which the scores are a sample.

    The mean of the maximum over all subsets of `trials` scores, drawn without replacement, by order statistics:
    sum over i from n to N of C(i − 1, n − 1) / C(N, n) · v_(i), where v_(1) ≤ … ≤ v_(N). Unbiased, unlike the
    estimator with replacement of Dodge et al. 2019, https://arxiv.org/abs/1909.03004, section 3: Tang et al. 2020,
    https://arxiv.org/abs/2004.13705, section 4.

    Args:
        scores: of all trials, (N,).
        trials: n, 1…N.

    Raises:
        ValueError: n is not in 1…N.
    """
    count = len(scores)
    if not 1 <= trials <= count:
        raise ValueError(f"the best of {trials} trials cannot be told from {count}")
    subsets = comb(count, trials)
    ordered = sorted(scores)
    return sum(comb(rank - 1, trials - 1) / subsets * ordered[rank - 1] for rank in range(trials, count + 1))


def budgets(trials: int) -> list[int]:
    """The numbers of trials that are shown: 1, 2, 4, …, and all."""
    powers = [2**power for power in range(trials.bit_length()) if 2**power < trials]
    return [*powers, trials]


def sensitivity(scores: Sequence[float], places: Sequence[float]) -> float | None:
    """The spread, largest minus smallest, of the scores in the middle half of the space; None for fewer than two.

    Args:
        scores: of all trials, (N,).
        places: where each trial's learning rate lies in its range, 0…1 on its scale, (N,).
    """
    inside = [score for score, place in zip(scores, places, strict=True) if MIDDLE[0] <= place <= MIDDLE[1]]
    return max(inside) - min(inside) if len(inside) > 1 else None
