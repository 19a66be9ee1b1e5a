"""What a task hands in, before anything is trained on it: labels, references, and the metrics that it will give."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from bench.data.example import Example, Examples
from bench.data.selection import CUT
from bench.errors import UserError, unknown_name
from bench.models.head import Head
from bench.tasks.base import Split, Task, TaskData

SAMPLE = 64  # examples of a split that a trial of `score` is given


def check_task(task: Task, data: TaskData) -> None:
    """Refuse what would end hours later, or as a score of nothing.

    Raises:
        UserError: a split without examples or labels, labels that the head does not have, or a main metric that
            `score` does not give.
    """
    if not data.train:
        raise UserError(f"task '{task.name}' has no examples to train on")
    if not data.validation:
        raise UserError(f"task '{task.name}' has no split to score; `load` has to give at least one for validation")
    head = task.head()
    if head is not None:
        _check_labels(task, head, data.train, "the training split")
    for name, split in data.evaluation.items():
        _check_split(task, name, split)
        if head is not None:
            _check_labels(task, head, split.examples, f"the split '{name}'")
    _check_main_metric(task, data)


def check_selection(task: Task, data: TaskData) -> None:
    """Refuse data that `data.score_on=selection` was asked of and that hold the reported split all the same.

    Raises:
        UserError: the task's class has a `load` that knows nothing of it.
    """
    if data.scored_on is None or data.test is not None:
        raise UserError(
            f"{CUT}: task '{task.name}' does not keep to it; `load` of {type(task).__name__} has to leave what is "
            "reported unread where data.selects, and to say in TaskData.scored_on what is scored instead"
        )


def score_names(task: Task, data: TaskData) -> list[str]:
    """The metrics that `score` will give; empty where it cannot be known before.

    They are those that the class declares, unless a class below it has a `score` of its own: that one is tried on
    right answers.
    """
    kinds = type(task).__mro__
    declares = next(at for at, kind in enumerate(kinds) if "metrics" in vars(kind))
    scores = next(at for at, kind in enumerate(kinds) if "score" in vars(kind))
    declared = [metric.name for metric in task.metrics()]
    if declares <= scores and declared:
        return declared
    splits = data.validation
    references = {name: split.references[:SAMPLE] for name, split in splits.items()}
    try:
        return list(task.score(references, task.right_answers(references)))
    except UserError:
        raise
    except Exception:  # whatever a score of the user's own makes of answers in a form that it may not know
        return []


def _check_main_metric(task: Task, data: TaskData) -> None:
    try:
        main = task.main_metric
    except NotImplementedError as error:
        raise UserError(f"task '{task.name}' does not say its main_metric") from error
    names = score_names(task, data)
    if names and main not in names:
        raise UserError(f"task '{task.name}': {unknown_name('main metric', main, names)}")


def _check_split(task: Task, name: str, split: Split) -> None:
    if not len(split.examples):
        raise UserError(f"task '{task.name}': the split '{name}' has no examples to score")
    if len(split.references) != len(split.examples):
        raise UserError(
            f"task '{task.name}': the split '{name}' has {len(split.examples)} examples and "
            f"{len(split.references)} references"
        )
    empty = next((at for at, reference in enumerate(split.references) if _is_missing(reference)), None)
    if empty is not None:
        raise UserError(f"task '{task.name}': the split '{name}' has no label in row {empty + 1}; it cannot be scored")


def _is_missing(reference: Any) -> bool:
    return reference is None or (isinstance(reference, float) and np.isnan(reference))


def _check_labels(task: Task, head: Head, examples: Sequence[Example], where: str) -> None:
    labels = _labels(examples)
    if labels is None or not len(labels):
        return
    if head.regression:
        wrong = np.flatnonzero(~np.isfinite(labels))
        meant = "a finite number"
    else:
        wrong = np.flatnonzero((labels < 0) | (labels >= head.labels) | (labels != np.floor(labels)))
        meant = f"one of the head's {head.labels} labels, 0 to {head.labels - 1}"
    if len(wrong):
        row, label = int(wrong[0]), float(labels[wrong[0]])
        hint = "; is it a test split, whose labels are not public?" if label == -1 else ""
        raise UserError(f"task '{task.name}': {where} has the label {label:g} in row {row + 1}, not {meant}{hint}")


def _labels(examples: Sequence[Example]) -> np.ndarray | None:
    """One number for each example; None where there are none, or lists of them."""
    if isinstance(examples, Examples):
        return examples.column("labels").astype(np.float64)
    found = [example.get("labels") for example in examples]
    numbers = all(isinstance(label, int | float) for label in found)
    return np.array(found, dtype=np.float64) if numbers else None
