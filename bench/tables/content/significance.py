"""Which paired test a metric has, and the score that the test is of."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bench.tables.content.predictions import Predictions
from bench.tables.statistics.paired import (
    METRICS,
    Array,
    bleu_bootstrap,
    grouped_bootstrap,
    jackknifed,
    mcnemar,
    paired_bootstrap,
    translation_score,
)


@dataclass(frozen=True)
class PairedTest:
    """A test that two systems score the same on the same examples.

    Attributes:
        score: the metric itself, so that it can be seen whether a record's metric of that name is the same.
        p_value: of the first and the second system; neither cares which way is better.
        parts: of each block of examples its part in the score, shape `(blocks,)`, with the score as their mean; None
            for scores that take too long for it.
    """

    score: Callable[[Predictions], float]
    p_value: Callable[[Predictions, Predictions], float]
    parts: Callable[[Predictions], Array] | None = None


def paired_test(metric: str, predictions: Predictions, words: str) -> PairedTest | None:
    """The test of the metric called `metric` on predictions like these; None for one that has no test here.

    Args:
        metric: its name.
        predictions: of one of the systems; MMLU's are of several groups.
        words: the tokenizer of BLEU; empty: sacreBLEU's default.
    """
    if metric in {"bleu", "chrf"}:
        alone = all(isinstance(right, str) for right in predictions.references)  # one right text each
        return _translation_test(metric, words) if alone else None
    if metric == "accuracy_macro" and predictions.groups is not None:
        return PairedTest(_macro_accuracy, _grouped, _macro_parts)
    if metric.startswith("accuracy"):
        return PairedTest(
            lambda said: float(np.mean(_right(said))),
            lambda one, two: mcnemar(_right(one), _right(two)),
            _accuracy_parts,
        )
    if metric not in METRICS:
        return None
    function = METRICS[metric]

    def resampled(first: Predictions, second: Predictions) -> float:
        references = _numbers(first.references)
        return paired_bootstrap(references, _numbers(first.predictions), _numbers(second.predictions), function)

    def parts(said: Predictions) -> Array:
        references, predictions = _numbers(said.references), _numbers(said.predictions)
        return jackknifed(len(references), lambda kept: function(references[kept], predictions[kept]))

    return PairedTest(lambda said: function(_numbers(said.references), _numbers(said.predictions)), resampled, parts)


def is_of(test: PairedTest, predictions: Predictions, recorded: float | None) -> bool:
    """Whether a record's score is the one that the test is of."""
    try:
        found = test.score(predictions)
    except (TypeError, ValueError, AttributeError):  # predictions of another form, under a name of ours
        return False
    return recorded is not None and math.isclose(found, recorded, rel_tol=1e-6, abs_tol=1e-6)


def _translation_test(metric: str, words: str) -> PairedTest:
    return PairedTest(
        lambda said: translation_score(said.references, said.predictions, metric, words),
        lambda one, two: bleu_bootstrap(one.references, one.predictions, two.predictions, metric, words),
    )


def _right(said: Predictions) -> np.ndarray:
    return np.array([answer == wanted for wanted, answer in zip(said.references, said.predictions, strict=True)])


def _macro_accuracy(said: Predictions) -> float:
    right, groups = _right(said), np.asarray(said.groups)
    return float(np.mean([right[groups == group].mean() for group in np.unique(groups)]))


def _accuracy_parts(said: Predictions) -> Array:
    right = _right(said)
    return jackknifed(len(right), lambda kept: float(right[kept].mean()))


def _macro_parts(said: Predictions) -> Array:
    _, groups, counts = np.unique(said.groups or [], return_inverse=True, return_counts=True)
    weighted = _right(said) * len(groups) / (len(counts) * counts[groups])
    return jackknifed(len(groups), lambda kept: float(weighted[kept].mean()))


def _grouped(first: Predictions, second: Predictions) -> float:
    assert first.groups is not None
    _, groups = np.unique(first.groups, return_inverse=True)
    return grouped_bootstrap(_right(first).astype(float), _right(second).astype(float), groups)


def _numbers(values: list[object]) -> Array:
    return np.asarray(values, dtype=float)
