"""A look at a task as a model is given it, before anything is trained: rows, labels, lengths, examples, floors."""

import math
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from transformers import PretrainedConfig, PreTrainedTokenizerBase

from bench.configuration.cell import Cell
from bench.data.example import Example
from bench.data.vocabulary import check_tokens
from bench.models.load import build_empty, load_architecture
from bench.models.tokenizer import load_tokenizer
from bench.tasks.base import Split, Task, TaskData
from bench.tasks.build import task_of
from bench.tasks.check import check_selection, check_task
from bench.tasks.leaks import questions, repeated, shared

SHOWN = 3  # examples
UNCUT = 1_000_000  # tokens: nothing is cut there
SEED = 0


@dataclass(frozen=True)
class Lengths:
    """Tokens of the inputs, uncut: the middle one, the 95th of 100, the longest; the share of those that are cut."""

    median: int
    p95: int
    longest: int
    cut: float


@dataclass(frozen=True)
class SplitReport:
    """One split.

    Attributes:
        rows: how many.
        lengths: of its inputs.
        unknown: the share of tokens that the vocabulary does not have.
        labels: how often each answer is right; empty where answers are texts, or too many.
        twice: rows whose input is that of an earlier row; what a decoder learns to write behind it does not count.
        in_train: rows whose input is one of the training split's.
    """

    rows: int
    lengths: Lengths
    unknown: float
    labels: dict[str, int]
    twice: int
    in_train: int


@dataclass(frozen=True)
class ShownExample:
    """What a model is given: as text, as tokens, and what it is to answer."""

    text: str
    tokens: list[str]
    answer: str


@dataclass(frozen=True)
class TaskReport:
    """What a look at a task finds.

    Attributes:
        task, model: names.
        notes: what a record would note, such as the way of answering.
        max_length: `training.max_length`.
        splits: by name, the training split first.
        examples: of the training split.
        floors: the main metric of those who do not look at the text: "most frequent", "at random".
        main: the main metric's name.
        warnings: what a user ought to look at, one line each.
    """

    task: str
    model: str
    notes: dict[str, Any]
    max_length: int
    splits: dict[str, SplitReport]
    examples: list[ShownExample]
    floors: dict[str, float]
    main: str
    warnings: list[str]


def look_at_task(cell: Cell) -> TaskReport:
    """Load the task as the cell would, and look at what comes of it. No weights are read.

    Raises:
        UserError: what a run of the cell would refuse of task, data and tokenizer.
    """
    task, tokenizer = task_of(cell), load_tokenizer(cell.base)
    architecture = load_architecture(cell.base, task.head())
    longest = cell.training.max_length
    data, uncut = task.load(tokenizer, longest, cell.data), task.load(tokenizer, UNCUT, cell.data)
    check_task(task, data)
    if cell.data.selects:
        check_selection(task, data)
    rows = build_empty(cell.base, architecture).get_input_embeddings().weight.shape[0]  # type: ignore[operator]
    examples = {"train": data.train} | {name: split.examples for name, split in data.evaluation.items()}
    known = check_tokens(examples, tokenizer, architecture, cell.base.family, rows)
    whole = {"train": uncut.train} | {name: split.examples for name, split in uncut.evaluation.items()}
    seen = set(questions(whole["train"]))
    right = {name: _right(task, data, name) for name in data.evaluation}
    reports = {}
    for name, split in whole.items():
        labels = _balance(task, right[name] if name in right else _plain_labels(split))
        reports[name] = SplitReport(
            len(split), _lengths(split, longest), known.unknown[name], labels, repeated(split),
            0 if name == "train" else sum(question in seen for question in questions(split)),
        )  # fmt: skip
    warnings = [*known.warnings, *_remarks(task, reports, architecture, longest)]
    shown = [_shown(task, tokenizer, example) for example in data.train[:SHOWN]]
    floors = _floors(task, data, right)
    return TaskReport(cell.task, cell.model, data.notes, longest, reports, shown, floors, task.main_metric, warnings)


def _right(task: Task, data: TaskData, name: str) -> list[Any]:
    split: Split = data.evaluation[name]
    return task.right_answers({name: split.references})[name]


def _plain_labels(examples: Sequence[Example]) -> list[Any] | None:
    labels = [example.get("labels") for example in examples]
    return labels if all(isinstance(label, int | float) for label in labels) else None


def _balance(task: Task, answers: Sequence[Any] | None) -> dict[str, int]:
    """How often each answer is right, by its name where the task knows it; nothing for numbers and texts."""
    if answers is None or not all(isinstance(answer, int) for answer in answers):
        return {}
    names = getattr(task, "names", None)
    counts = sorted(Counter(answers).items())
    return {names[answer] if names else str(answer): count for answer, count in counts}


def _lengths(examples: Sequence[Example], longest: int) -> Lengths:
    found = np.array([len(example["input_ids"]) for example in examples])
    median, p95 = (int(np.percentile(found, share)) for share in (50, 95))
    return Lengths(median, p95, int(found.max()), float((found > longest).mean()))


def _shown(task: Task, tokenizer: PreTrainedTokenizerBase, example: Example) -> ShownExample:
    tokens, labels, names = list(example["input_ids"]), example.get("labels"), getattr(task, "names", None)
    if isinstance(labels, list):
        answer = _text(tokenizer, [label for label in labels if label >= 0])
        if _goes_on(tokens, labels):
            tokens = tokens[: next((at for at, label in enumerate(labels) if label >= 0), len(tokens))]
    else:
        answer = names[labels] if names and isinstance(labels, int) else str(labels)
    return ShownExample(_text(tokenizer, tokens), list(tokenizer.convert_ids_to_tokens(tokens)), answer)


def _text(tokenizer: PreTrainedTokenizerBase, tokens: list[int]) -> str:
    return str(tokenizer.decode(tokens))


def _goes_on(tokens: Sequence[int], labels: Sequence[int]) -> bool:
    """Whether the answer is the end of the input, as a decoder learns it."""
    return len(tokens) == len(labels) and all(
        label in (-100, token) for token, label in zip(tokens, labels, strict=True)
    )


def _floors(task: Task, data: TaskData, right: Mapping[str, list[Any]]) -> dict[str, float]:
    """What the main metric is for whoever answers without reading; nothing where answers are texts."""
    name = next(iter(data.validation))
    answers = right[name]
    if not answers or not all(isinstance(answer, int | float) for answer in answers):
        return {}
    references = {name: data.validation[name].references}
    draw = random.Random(SEED)
    is_class = all(isinstance(answer, int) for answer in answers)
    usual = Counter(answers).most_common(1)[0][0] if is_class else float(np.mean(answers))
    choices = sorted(set(answers))
    guesses = {
        "always the most frequent answer" if is_class else "always the mean": [usual] * len(answers),
        "an answer drawn at random": [draw.choice(choices) for _ in answers],
    }
    scores = {said: task.score(references, {name: guess})[task.main_metric] for said, guess in guesses.items()}
    return {said: score for said, score in scores.items() if not math.isnan(score)}


def _remarks(task: Task, reports: Mapping[str, SplitReport], architecture: PretrainedConfig, longest: int) -> list[str]:
    found = []
    for name, report in reports.items():
        if report.in_train:
            found.append(shared(report.in_train, report.rows, name))
        if report.twice and name == "train":
            found.append(f"{report.twice} of the {report.rows} rows of {name} repeat the text of another")
        if report.lengths.cut > 0:
            found.append(
                f"{report.lengths.cut:.1%} of {name} are longer than training.max_length={longest} and are cut; "
                f"the longest has {report.lengths.longest} tokens"
            )
    train, first = reports["train"], next(name for name in reports if name != "train")
    if missing := [label for label in train.labels if label not in reports[first].labels]:
        found.append(f"no row of {first} has the label {', '.join(missing)}")
    most = getattr(architecture, "max_position_embeddings", None)
    if most is not None and task.longest_input(longest) > most:
        found.append(f"training.max_length={longest} is more than the model's {most} positions")
    return found
