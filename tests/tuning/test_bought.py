"""What searches have bought, of made-up trials."""

from types import SimpleNamespace

import pytest

from bench.records.metric import Metric
from bench.tables.figures.drawing import styled
from bench.tables.figures.search import Bought, expected_best_scores
from bench.tuning.bought import best_within, default_trial, equal_seconds, expected
from bench.tuning.hyperband import NONE
from bench.tuning.result import Outcome
from bench.tuning.space import Dimension, Space

RATE = Dimension("training.learning_rate", 1e-5, 1e-2, log=True)
RANK = Dimension("method.r", values=(4, 8))


def made(trials, *, better="higher", dimensions=(RATE,), config=None):
    """A result with trials of (rate, score, seconds) or (rate, rank, score, seconds)."""
    outcomes = [
        Outcome(number, dict(zip([one.key for one in dimensions], values, strict=True)), score, "done", None, seconds)
        for number, (*values, score, seconds) in enumerate(trials)
    ]
    cell = SimpleNamespace(config=config or {"training": {"learning_rate": 1e-4, "chosen_by": {}}})
    return SimpleNamespace(
        study=SimpleNamespace(cell=cell, space=Space(dimensions), protocol=SimpleNamespace(pruner=NONE)),
        outcomes=outcomes,
        brackets=[[one] for one in outcomes],
        scored=[one for one in outcomes if one.score is not None],
        scores=[one.score for one in outcomes if one.score is not None],
        metric=Metric("m", better=better),
    )


CHEAP = made([(1e-4, 0.5, 1.0), (1e-3, 0.6, 1.0), (1e-2, None, 0.5)])
SLOW = made([(1e-4, 0.7, 2.0), (1e-3, 0.9, 2.0)])


def test_equal_time_is_that_of_the_cheapest_search_its_failures_too():
    assert equal_seconds([CHEAP, SLOW]) == 2.5
    assert best_within(CHEAP, 2.5) == 0.6
    assert best_within(SLOW, 2.5) == 0.7, "its second trial was not through"
    assert best_within(SLOW, 1.0) is None
    assert best_within(made([(1e-4, 0.7, 1.0), (1e-3, 0.2, 1.0)], better="lower"), 2.0) == 0.2


def test_without_scores_or_seconds_there_is_no_equal_time():
    assert equal_seconds([made([(1e-4, None, 3.0)])]) is None
    assert equal_seconds([made([(1e-4, 0.5, 0.0)])]) is None
    assert equal_seconds([made([(1e-4, None, 0.1)]), SLOW]) == 4.0, "one that found nothing is no measure"


def test_the_default_is_the_nearest_trial_that_has_a_score():
    near = made([(2e-5, 0.1, 1), (9e-5, None, 1), (2e-4, 0.3, 1), (1e-2, 0.4, 1)])
    assert default_trial(near).number == 2
    knob = {"training": {"learning_rate": 1e-4, "chosen_by": {}}, "method": {"r": 8}}
    both = made([(1e-4, 4, 0.1, 1), (5e-4, 8, 0.2, 1)], dimensions=(RATE, RANK), config=knob)
    assert default_trial(both).number == 1


@pytest.mark.parametrize(
    "training",
    [
        {"learning_rate": 1.0},
        {"learning_rate": None},
        {"learning_rate": 1e-4, "chosen_by": {"study": "earlier"}},
    ],
    ids=["outside", "none", "chosen"],
)
def test_there_is_no_default_outside_of_the_space_nor_where_a_search_chose_it(training):
    assert default_trial(made([(1e-4, 0.1, 1)], config={"training": training})) is None


def test_expected_scores_of_an_error_fall():
    assert expected(made([(1e-4, 0.4, 1), (1e-3, 0.2, 1)], better="lower")) == pytest.approx([0.3, 0.2])


def test_the_figure_has_a_line_a_name_and_a_default_for_each_method():
    searches = [Bought("lora", [0.5, 0.6, 0.65], 0.55), Bought("full", [0.4, 0.5, 0.6])]
    with styled():
        (axes,) = expected_best_scores("model on task", "accuracy", searches).axes
    assert {text.get_text() for text in axes.texts} == {"lora", "full"}
    assert len(axes.lines) == 3, "and one marker"
    assert axes.get_xlabel().startswith("trials")
