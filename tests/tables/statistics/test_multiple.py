"""Many comparisons at once: who can be told apart, and how often one is fooled."""

import itertools

import numpy as np
import pytest
from scipy.stats import ttest_rel

from bench.tables.statistics.multiple import holm, letters, paired_t


def test_the_test_is_students_on_pairs():
    random = np.random.default_rng(0)
    first, second = random.normal(0, 1, 6), random.normal(0.5, 1, 6)
    assert paired_t(first - second) == pytest.approx(ttest_rel(first, second).pvalue)


@pytest.mark.parametrize("differences", [[], [0.1], [0.1, 0.2], [0.1, np.nan, 0.3], [0.01, 0.01, 0.01]])
def test_where_nothing_can_be_told_nothing_is(differences):
    """Too few seeds; a score that is none; a coarse metric's same step at every seed."""
    assert paired_t(np.array(differences)) is None


def test_equal_scores_are_equal():
    assert paired_t(np.zeros(3)) == 1


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == []


@pytest.mark.parametrize("methods", [2, 4])
@pytest.mark.parametrize("seeds", [3, 5])
def test_of_equal_methods_all_are_tied_in_95_of_100_repetitions(methods, seeds):
    random, repetitions, tied = np.random.default_rng(seeds * methods), 1000, 0
    pairs = list(itertools.combinations(range(methods), 2))
    for repetition in range(repetitions):
        scores = random.normal(80, 1, (methods, seeds))
        values = [paired_t(scores[one] - scores[other]) for one, other in pairs]
        smallest = min(1.0, min(values) * len(pairs))  # what Holm makes of the smallest
        if repetition < 5:
            assert min(holm(values)) == pytest.approx(smallest)
        tied += smallest >= 0.05
    least = 0.93
    assert tied / repetitions >= least  # with several methods Holm is on the careful side
    if methods == 2:
        assert tied / repetitions <= 0.97


def test_a_difference_that_is_there_is_found():
    random, found = np.random.default_rng(9), 0
    for _ in range(200):
        found += paired_t(random.normal(2, 1, 5)) < 0.05
    assert found / 200 > 0.8


CASES = {
    "all alike": ("abc", [], {"a": "a", "b": "a", "c": "a"}),
    "all apart": ("abc", ["ab", "ac", "bc"], {"a": "a", "b": "b", "c": "c"}),
    "ends apart": ("abc", ["ac"], {"a": "a", "b": "ab", "c": "b"}),
    "one apart": ("abc", ["ab", "ac"], {"a": "a", "b": "b", "c": "b"}),
    "no order": ("abc", ["ab"], {"a": "a", "b": "b", "c": "ab"}),
}


@pytest.mark.parametrize("case", CASES)
def test_letters(case):
    names, apart, expected = CASES[case]
    assert letters(list(names), lambda one, other: one + other in apart) == expected


def test_two_share_a_letter_exactly_where_they_cannot_be_told_apart():
    random, names = np.random.default_rng(3), [f"m{at}" for at in range(9)]
    for _ in range(30):
        apart = {pair for pair in itertools.combinations(names, 2) if random.random() < 0.5}
        given = letters(names, lambda one, other, apart=apart: (one, other) in apart)
        for one, other in itertools.combinations(names, 2):
            assert bool(set(given[one]) & set(given[other])) == ((one, other) not in apart)
