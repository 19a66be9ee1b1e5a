"""Test items' parts in a score, from stored predictions."""

import math
from operator import eq

import numpy as np

from bench.tables.content.predictions import Predictions
from bench.tables.statistics.aggregate import Array
from bench.tables.statistics.parts import METRICS, jackknifed, jackknifed_mean, translation_parts

SLOW = frozenset({"bleu", "chrf"})  # a second for each record


def item_parts(metric: str, said: Predictions, words: str, recorded: float | None) -> Array | None:
    """The part of each block of items in a score, shape `(blocks,)`, with the score as their mean.

    Args:
        metric: the score's name.
        said: one system's predictions; MMLU's are of several groups.
        words: the tokenizer of BLEU; empty: sacreBLEU's default.
        recorded: the record's score; where predictions do not give it, the metric only shares its name with ours.

    Returns:
        None for a metric that has no parts here, or is another one.
    """
    try:
        parts = _parts(metric, said, words)
    except (TypeError, ValueError, AttributeError):  # predictions of another form, under a name of ours
        return None
    if parts is None or recorded is None or not math.isclose(parts.mean(), recorded, rel_tol=1e-6, abs_tol=1e-6):
        return None
    return parts


def _parts(metric: str, said: Predictions, words: str) -> Array | None:
    if metric in SLOW:
        alone = all(isinstance(right, str) for right in said.references)  # one right text each
        return translation_parts(said.references, said.predictions, metric, words) if alone else None
    if metric == "accuracy_macro" and said.groups is not None:
        return jackknifed_mean(_right(said) * _weights(said.groups))
    if metric.startswith("accuracy"):
        return jackknifed_mean(_right(said))
    if metric not in METRICS:
        return None
    function = METRICS[metric]
    references, predictions = (np.asarray(values, dtype=float) for values in (said.references, said.predictions))
    return jackknifed(len(references), lambda kept: function(references[kept], predictions[kept]))


def _right(said: Predictions) -> Array:
    """1 where an item was answered right, else 0."""
    return np.fromiter(map(eq, said.references, said.predictions), float, len(said.references))


def _weights(groups: list[str]) -> Array:
    """What makes the mean over items that over groups."""
    _, place, counts = np.unique(groups, return_inverse=True, return_counts=True)
    return np.asarray(len(groups) / (len(counts) * counts[place]), dtype=float)
