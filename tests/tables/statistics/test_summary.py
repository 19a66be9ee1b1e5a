"""Statistics against references: numpy, scipy and sacreBLEU, and their properties."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import bootstrap, spearmanr
from sklearn.metrics import f1_score, matthews_corrcoef

from bench.errors import UserError
from bench.tables import Options, make_table
from bench.tables.statistics.pareto import pareto_front, undominated
from bench.tables.statistics.parts import correlation, f1, spearman
from bench.tables.statistics.summary import bootstrap_interval, deviation, ranks
from tests.tables.made_records import make_record, save

RANDOM = np.random.default_rng(1)
scores = st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=8)


def test_the_interval_agrees_with_scipy():
    values = RANDOM.normal(50, 3, 30)
    ours = bootstrap_interval(values, resamples=20_000)
    theirs = bootstrap((values,), np.mean, n_resamples=20_000, method="percentile", rng=2).confidence_interval
    assert ours == pytest.approx(theirs, abs=0.06)


@given(scores, st.sampled_from(["mean", "median"]))
def test_the_interval_lies_within_the_values_and_is_the_same_each_time(values, statistic):
    low, high = bootstrap_interval(np.array(values), statistic, resamples=50)
    slack = 1e-9 * max(map(abs, values), default=0)
    assert min(values) - slack <= low <= high <= max(values) + slack
    assert (low, high) == bootstrap_interval(np.array(values), statistic, resamples=50)


def test_no_interval_without_finite_values():
    assert bootstrap_interval(np.array([1.0])) is None
    assert bootstrap_interval(np.array([1.0, np.nan])) is None
    assert deviation(np.array([1.0])) is None


def test_ranks_follow_what_is_printed():
    assert ranks(np.array([1.001, 1.002, 0.5, np.nan]), 2, True) == [1, 1, None, None]
    assert ranks(np.array([3.0, 1.0, 2.0]), 2, False) == [None, 1, 2]
    assert ranks(np.array([3.0, np.nan]), 2, True) == [None, None]


def test_metrics_agree_with_scikit_learn_and_scipy():
    references, predictions = RANDOM.integers(0, 2, 200).astype(float), RANDOM.integers(0, 2, 200).astype(float)
    assert f1(references, predictions) == pytest.approx(f1_score(references, predictions))
    assert correlation(references, predictions) == pytest.approx(matthews_corrcoef(references, predictions))
    ties = RANDOM.integers(0, 5, 200).astype(float)
    assert spearman(ties, predictions) == pytest.approx(spearmanr(ties, predictions).statistic)
    assert correlation(np.ones(5), np.arange(5.0)) == 0.0


@given(st.lists(st.tuples(st.floats(1, 100), st.floats(0, 100)), max_size=20))
def test_nothing_beats_the_pareto_front(points):
    front = pareto_front(points)
    for cost, score in points:
        assert any(c <= cost and s >= score for c, s in front)
    assert all(a[0] < b[0] and a[1] < b[1] for a, b in itertools.pairwise(front))


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 9)), max_size=20))
def test_of_two_costs_the_front_is_the_same_and_equal_points_share_it(points):
    front = set(pareto_front([(cost, -loss) for cost, loss in points]))
    assert undominated(points, (0, 0)) == [(cost, -loss) in front for cost, loss in points]


def test_a_third_cost_saves_what_two_would_beat():
    assert undominated([(1, 5), (2, 6)], (0, 0)) == [True, False]
    assert undominated([(1, 5, 2), (2, 6, 1), (2, 6, 2)], (0, 0, 0)) == [True, True, False]


def test_what_differs_by_noise_alone_puts_nobody_on_the_front():
    points = [(1, 1000, -0.9), (1, 995, -0.8), (1, 900, -0.7)]
    assert undominated(points, (0, 0, 0)) == [True, True, True]
    assert undominated(points, (0, 0.01, 0)) == [True, False, True]
    assert undominated([(1, 1000), (1, 995)], (0, 0.01)) == [True, True]


def test_intervals_are_shown_on_request(tmp_path):
    save(tmp_path, *(make_record(seed=seed, scores={"accuracy": 0.5 + seed / 10}) for seed in range(4)))
    table = make_table(str(tmp_path), "miniature/glue", "glue", Options(interval=True))
    low, high = table.blocks[0].rows[0].entries["sst2.accuracy"].interval
    assert 50 <= low < 65 < high <= 80
    with pytest.raises(UserError, match="level=2 must be between 0 and 1"):
        Options(level=2)
    with pytest.raises(UserError, match="unknown statistic 'mode'"):
        Options(statistic="mode")
