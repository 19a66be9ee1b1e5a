"""Scores of several tasks and seeds in one figure, against Agarwal et al. 2021 and SciPy."""

import numpy as np
import pytest
from scipy.stats import mannwhitneyu, trim_mean

from bench.tables.statistics.aggregate import improvement, interquartile_mean, profile, stratified_interval

SCORES = np.random.default_rng(0).normal(70, 5, (7, 4))


@pytest.mark.parametrize("shape", [(1, 1), (3, 1), (5, 3), (7, 4)])
def test_the_interquartile_mean_is_the_mean_without_a_quarter_at_each_end(shape):
    scores = np.random.default_rng(1).normal(size=shape)
    assert interquartile_mean(scores) == pytest.approx(trim_mean(scores, 0.25, axis=None))


def test_one_run_gone_wrong_does_not_move_it():
    wrecked = SCORES.copy()
    wrecked[0, 0] = -1e6
    assert interquartile_mean(wrecked) == pytest.approx(interquartile_mean(SCORES), abs=1)


def test_the_probability_of_improvement_is_mann_whitneys():
    other = np.random.default_rng(2).normal(71, 5, (5, 4)).round()
    first = SCORES.round()  # with ties
    expected = [mannwhitneyu(first[:, task], other[:, task]).statistic / (7 * 5) for task in range(4)]
    assert improvement(first, other) == pytest.approx(np.mean(expected))
    assert improvement(first, other) + improvement(other, first) == pytest.approx(1)
    assert improvement(first, first) == pytest.approx(0.5)


def test_a_profile_falls_from_all_runs_to_none():
    assert list(profile(np.array([[1.0, 2.0], [3.0, 4.0]]), [0, 1, 2.5, 4])) == [1, 0.75, 0.5, 0]


def test_the_interval_holds_the_statistic_and_narrows_with_seeds():
    few, many = SCORES[:3], np.random.default_rng(3).normal(70, 5, (60, 4))
    for scores in (few, many):
        low, high = stratified_interval(scores, interquartile_mean)
        assert low <= interquartile_mean(scores) <= high
    widths = [np.ptp(stratified_interval(scores, interquartile_mean)) for scores in (few, many)]
    assert widths[1] < widths[0]
    assert stratified_interval(SCORES[:1], interquartile_mean) is None


def test_it_covers_a_known_mean_as_often_as_it_says():
    """Of the mean, whose truth is known; with twenty seeds, a percentile interval is a little too narrow."""
    random, hits = np.random.default_rng(4), 0
    for _ in range(300):
        low, high = stratified_interval(
            random.normal(0, 1, (20, 3)), lambda scores: float(scores.mean()), resamples=300
        )
        hits += low <= 0 <= high
    assert 0.88 <= hits / 300 <= 0.98
