"""Rows that a model has been trained on and is asked about all the same."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat
from typing import Any

import numpy as np

from bench.data.example import Example, Examples
from bench.tasks.base import TaskData


def leak_warnings(data: TaskData) -> list[str]:
    """Which of the scored rows have the text of a training row, a line for each split; and where texts repeat."""
    seen = set(questions(data.train))
    found = []
    for name, split in data.evaluation.items():
        if count := sum(question in seen for question in questions(split.examples)):
            found.append(shared(count, len(split.examples), name))
    if (data.scored_on or {}).get("share") and (count := repeated(data.train)):
        found.append(
            f"{count} of the {len(data.train)} training rows repeat the text of another; rows with the same text are "
            "on one side of the cut"
        )
    return found


def shared(count: int, rows: int, split: str) -> str:
    """What is said of the rows of a split that were trained on."""
    return f"{count} of the {rows} rows of {split} have the text of a training row"


def repeated(examples: Sequence[Example]) -> int:
    """Rows whose text is that of an earlier one."""
    return len(examples) - len(set(questions(examples)))


def questions(examples: Sequence[Example]) -> Iterator[bytes]:
    """Of each example the tokens that the model is given, without an answer behind them: equal for equal texts."""
    pairs: Iterable[tuple[Any, Any]] = ((example["input_ids"], example.get("labels")) for example in examples)
    if isinstance(examples, Examples):  # hundreds of thousands of rows; a list for each would take minutes
        answers = examples.lists("labels") if examples.has_lists("labels") else repeat(None, len(examples))
        pairs = zip(examples.lists("input_ids"), answers, strict=True)
    for tokens, answer in pairs:
        row = np.asarray(tokens, dtype=np.int64)
        yield row[: _asked(row, answer)].tobytes()


def _asked(tokens: np.ndarray, labels: Sequence[int] | np.ndarray | None) -> int:
    """How many tokens stand before the answer, where that is the end of the tokens, as a decoder learns it."""
    if not isinstance(labels, list | np.ndarray) or len(labels) != len(tokens):
        return len(tokens)
    answer = np.flatnonzero(np.asarray(labels) >= 0)
    if not len(answer) or not answer[0] or not np.array_equal(tokens[answer], np.asarray(labels)[answer]):
        return len(tokens)
    return int(answer[0])
