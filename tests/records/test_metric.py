"""A metric knows its direction, its range, and whether it may be averaged."""

import math

import pytest

from bench.errors import UserError
from bench.records.metric import HIGHER, LOWER, Metric, from_dict, known_metric

LOW = [
    "rmse", "RMSE", "eval/mse", "meanSquaredError", "mean_absolute_error", "error_rate", "word_error_rate", "wer",
    "accuracy_error", "log_loss", "hamming_loss", "cross_entropy", "perplexity", "false_negative_rate", "ter",
    "bits_per_byte", "negative_log_likelihood", "brier_score",
]  # fmt: skip
HIGH = [
    "accuracy", "accuracy_mismatched", "f1", "macro_f1", "matthews_correlation", "pearson", "bleu", "chrf", "rougeL",
    "exact_match", "roc_auc", "neg_mean_squared_error", "neg_log_loss", "log_likelihood", "r2",
]  # fmt: skip


@pytest.mark.parametrize(("name", "better"), [*((name, LOWER) for name in LOW), *((name, HIGHER) for name in HIGH)])
def test_names_that_everybody_uses_say_which_way_is_better(name: str, better: str) -> None:
    metric = known_metric(name)
    assert (metric.better, metric.assumed) == (better, False)


@pytest.mark.parametrize("name", ["quality", "f2", "", "negative_predictive_value"])
def test_of_any_other_name_higher_is_assumed_and_nothing_averaged(name: str) -> None:
    metric = known_metric(name)
    assert (metric.better, metric.assumed, metric.averaged) == (HIGHER, True, False)


@pytest.mark.parametrize(("name", "averaged"), [("accuracy", True), ("bleu", True), ("pearson", True),
                                                ("rmse", False), ("perplexity", False), ("r2", False)])  # fmt: skip
def test_what_is_bounded_and_better_above_may_be_averaged(name: str, averaged: bool) -> None:
    assert known_metric(name).averaged is averaged


def test_better_is_better_and_what_is_no_number_never_is() -> None:
    high, low = Metric("a"), Metric("b", LOWER)
    assert high.beats(0.6, 0.5)
    assert not high.beats(0.5, 0.5)
    assert low.beats(0.4, 0.5)
    assert not low.beats(0.6, 0.5)
    for metric in (high, low):
        assert metric.beats(0.1, None)
        assert metric.beats(0.1, math.nan)
        assert not metric.beats(math.nan, 0.1)
        assert not metric.beats(math.nan, None)


def test_a_value_outside_of_the_range_is_noticed() -> None:
    accuracy = known_metric("accuracy")
    assert [accuracy.outside(value) for value in (-0.1, 0.0, 0.5, 1.0, 1.0 + 1e-12, 87.5, math.nan)] == [
        True, False, False, False, False, True, False
    ]  # fmt: skip
    assert not known_metric("rmse").outside(1e9)
    assert known_metric("rmse").outside(-1)


def test_a_record_gives_back_what_it_was_told_and_bears_nonsense() -> None:
    metric = Metric("mine", LOWER, low=0, high=5, averaged=True)
    assert from_dict("mine", metric.to_dict()) == metric
    for nonsense in (None, [], {"better": "sideways"}, {"other": 1}, {"high": "x"}, {"averaged": 2}, {"better": []}):
        assert from_dict("rmse", nonsense) == known_metric("rmse")
    with pytest.raises(UserError, match="higher or lower"):
        Metric("mine", "sideways")
