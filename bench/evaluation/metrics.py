"""Metrics that a declared task names, each by the library that its field uses; and one of the user's own by a class.

Predictions of classes are indices of the labels, -1 where what was written is none of them.
"""

import importlib
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import FunctionType
from typing import Any

import numpy as np
from scipy.stats import kendalltau, pearsonr, spearmanr
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    cohen_kappa_score,
    f1_score,
    matthews_corrcoef,
    mean_absolute_error,
    mean_squared_error,
    r2_score,
    root_mean_squared_error,
)

from bench.errors import UserError, unknown_name
from bench.evaluation.written import WRITTEN
from bench.records.metric import Metric, known_metric

Function = Callable[[Sequence[Any], Sequence[Any]], float]
CLASSES, NUMBERS, TEXTS = "classes", "numbers", "texts"


@dataclass(frozen=True)
class Scorer:
    """A metric, and how it is computed: from references and predictions in the same order."""

    metric: Metric
    function: Function

    def score(self, references: Sequence[Any], predictions: Sequence[Any]) -> float:
        """The metric of these predictions."""
        return float(self.function(references, predictions))


def scorers_of(given: Sequence[Any], kind: str, usual: Sequence[str]) -> list[Scorer]:
    """The metrics that a task names.

    Args:
        given: names, and mappings with `_target_`, a class or function called with references and predictions, or a
            class of `evaluate.Metric`, and what `Metric` takes: `name`, `better`, `low`, `high`; empty: the usual ones.
        kind: of the task's predictions.
        usual: names.

    Raises:
        UserError: a name that is none, or is there twice; a mapping that describes no metric.
    """
    scorers = [_scorer(one, kind) for one in given or usual]
    names = [scorer.metric.name for scorer in scorers]
    if twice := [name for name in names if names.count(name) > 1]:
        raise UserError(f"task.metrics names {twice[0]} twice")
    return scorers


def _scorer(given: Any, kind: str) -> Scorer:
    if isinstance(given, Mapping):
        return _own(dict(given))
    if given not in METRICS[kind]:
        raise unknown_name("metric", str(given), METRICS[kind])
    return Scorer(known_metric(given), METRICS[kind][given])


def _own(given: dict[str, Any]) -> Scorer:
    target = given.pop("_target_", None)
    if not isinstance(target, str):
        raise UserError(f"task.metrics: {given} names no class or function; give it a `_target_`")
    module, _, name = target.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), name)
        function = found() if isinstance(found, type) else found
        if callable(getattr(function, "compute", None)) and not isinstance(found, FunctionType):
            function = _computed(function, str(given.get("name", name)))
    except Exception as error:  # a module of the user's own may fail in any way
        raise UserError(f"task.metrics: cannot use {target}: {type(error).__name__}: {error}") from error
    called = given.pop("name", name)
    for key in given:
        if key not in Metric.__dataclass_fields__:
            raise unknown_name("setting of a metric", key, Metric.__dataclass_fields__)
    return Scorer(replace(known_metric(called), **given, assumed=False) if given else known_metric(called), function)


def _computed(metric: Any, name: str) -> Function:
    """A metric of the library `evaluate`, as a function: the value that it gives by that name, or its only one."""

    def score(right: Sequence[Any], said: Sequence[Any]) -> float:
        values = metric.compute(references=list(right), predictions=list(said))
        if name not in values and len(values) != 1:
            raise UserError(f"task.metrics: the metric gives {', '.join(values)}, and none is called {name}; say name")
        return float(values[name] if name in values else next(iter(values.values())))

    return score


def _f1(average: str) -> Function:
    return lambda right, said: f1_score(right, said, average=average, labels=sorted(set(right)), zero_division=0)


def _f1_of_two(right: Sequence[int], said: Sequence[int]) -> float:
    """Of the second label, as GLUE has it; what is neither label counts as the first."""
    return float(f1_score(right, [int(label == 1) for label in said], zero_division=0))


def correlation(function: Callable[..., Any]) -> Function:
    """SciPy's coefficient, without what it says of its significance."""

    def score(right: Sequence[float], said: Sequence[float]) -> float:
        """0 where one side is constant and it is not defined."""
        if len(right) < 2 or np.ptp(right) == 0 or np.ptp(said) == 0:
            return 0.0
        return float(function(right, said)[0])

    return score


def _by_group(right: Sequence[tuple[str, int]], said: Sequence[int]) -> float:
    """The share of groups of which every row is right: MultiRC's exact match by question.

    Khashabi et al. 2018, https://aclanthology.org/N18-1023; Wang et al. 2019, https://arxiv.org/abs/1905.00537.
    """
    whole: dict[str, bool] = {}
    for (group, label), answer in zip(right, said, strict=True):
        whole[group] = whole.get(group, True) and label == answer
    return sum(whole.values()) / len(whole)


GROUPED = "exact_match_by_group"  # its references are pairs of group and label
METRICS: dict[str, Mapping[str, Function]] = {
    CLASSES: {
        "accuracy": accuracy_score,
        "balanced_accuracy": lambda right, said: _quiet(balanced_accuracy_score, right, said),
        "f1": _f1_of_two,
        "f1_macro": _f1("macro"),
        "f1_micro": _f1("micro"),
        "f1_weighted": _f1("weighted"),
        "matthews_correlation": matthews_corrcoef,
        "cohen_kappa": cohen_kappa_score,
        GROUPED: _by_group,
    },
    NUMBERS: {
        "pearson": correlation(pearsonr),
        "spearman": correlation(spearmanr),
        "kendall": correlation(kendalltau),
        "mse": mean_squared_error,
        "rmse": root_mean_squared_error,
        "mae": mean_absolute_error,
        "r2": r2_score,
    },
    TEXTS: WRITTEN,
}


def _quiet(function: Function, right: Sequence[Any], said: Sequence[Any]) -> float:
    """Without scikit-learn's warning of predictions that no reference has."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return float(function(right, said))
