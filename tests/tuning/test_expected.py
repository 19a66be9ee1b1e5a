"""What a search has bought, by hand."""

from itertools import combinations
from statistics import fmean

import pytest

from bench.tuning.expected import budgets, expected_best, sensitivity


def test_by_hand():
    assert expected_best([0.2, 0.8, 0.5], 1) == pytest.approx(0.5), "the mean"
    assert expected_best([0.2, 0.8, 0.5], 2) == pytest.approx((0.8 + 0.8 + 0.5) / 3), "of the pairs' best"
    assert expected_best([0.2, 0.8, 0.5], 3) == 0.8, "the best"
    assert expected_best([0.7], 1) == 0.7


def test_it_is_the_mean_over_all_subsets():
    scores = [0.31, 0.9, 0.31, 0.55, 0.12, 0.77]
    for trials in range(1, 7):
        assert expected_best(scores, trials) == pytest.approx(fmean(map(max, combinations(scores, trials))))


@pytest.mark.parametrize("trials", [0, 4])
def test_more_than_there_are_cannot_be_told(trials):
    with pytest.raises(ValueError, match="cannot be told from 3"):
        expected_best([1.0, 2.0, 3.0], trials)


def test_budgets_are_powers_of_two_and_all():
    assert budgets(1) == [1]
    assert budgets(12) == [1, 2, 4, 8, 12]
    assert budgets(16) == [1, 2, 4, 8, 16]


def test_sensitivity_is_the_spread_over_the_middle_half():
    assert sensitivity([0.1, 0.5, 0.9, 0.7, 0.0], [0.0, 0.25, 0.5, 0.75, 1.0]) == pytest.approx(0.4)
    assert sensitivity([0.1, 0.5], [0.0, 0.5]) is None
