"""GLUE's original files, as its own download script leaves them: `CoLA/train.tsv`, `MNLI/dev_matched.tsv`.

Columns, their order and the quoting (none) are those that the hub's loading script for GLUE reads
(huggingface/datasets, datasets/glue/glue.py); labels become its indices.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.data.columns import Lines, check_names
from bench.errors import UserError

FILES = {
    "train": "train", "validation": "dev", "validation_matched": "dev_matched",
    "validation_mismatched": "dev_mismatched", "test": "test",
}  # fmt: skip
ENTAILMENT = {"entailment": 0, "not_entailment": 1}
BINARY = {"0": 0, "1": 1}


@dataclass(frozen=True)
class Original:
    """One task's files.

    Attributes:
        folder: of the task.
        texts: the hub's text columns, and what they are called (or, without a header, which field they are).
        label: the label's name or field.
        labels: the hub's index of each label; None: a number.
        truncated: whether lines with too few fields are skipped, as the hub's script does.
    """

    folder: str
    texts: dict[str, str | int]
    label: str | int
    labels: dict[str, int] | None
    truncated: bool = False

    @property
    def fields(self) -> dict[str, str | int]:
        """Name or number of the field of each of the hub's columns."""
        return {**self.texts, "label": self.label}

    @property
    def has_header(self) -> bool:
        """Whether the first line names the fields."""
        return isinstance(self.label, str)


SENTENCES: dict[str, str | int] = {"sentence1": "sentence1", "sentence2": "sentence2"}
ORIGINALS = {
    "cola": Original("CoLA", {"sentence": 3}, 1, BINARY),  # no header: source, label, the author's mark, sentence
    "sst2": Original("SST-2", {"sentence": "sentence"}, "label", BINARY),
    "mrpc": Original("MRPC", {"sentence1": "#1 String", "sentence2": "#2 String"}, "Quality", BINARY),
    "stsb": Original("STS-B", SENTENCES, "score", None),
    "qqp": Original(
        "QQP", {"question1": "question1", "question2": "question2"}, "is_duplicate", BINARY, truncated=True
    ),
    "mnli": Original(
        "MNLI",
        {"premise": "sentence1", "hypothesis": "sentence2"},
        "gold_label",
        {"entailment": 0, "neutral": 1, "contradiction": 2},
    ),
    "qnli": Original("QNLI", {"question": "question", "sentence": "sentence"}, "label", ENTAILMENT),
    "rte": Original("RTE", SENTENCES, "label", ENTAILMENT),
}


def original_files(root: Path, name: str, subset: str | None, split: str) -> list[Path]:
    """The original file of a GLUE split, below the root or in the hub's folder; more than one if it is in both."""
    if subset not in ORIGINALS or split not in FILES:
        return []
    candidates = [folder / f"{FILES[split]}.tsv" for folder in (root / ORIGINALS[subset].folder, root / name)]
    return [file for file in candidates if os.path.lexists(file)]  # a link to nowhere is named when it is read


def read_original(content: bytes, file: Path, subset: str) -> Lines:
    """The rows of an original file, in the hub's columns. Blank lines are none.

    Raises:
        UserError: a row that is not UTF-8, that has too few or too many fields, or whose label the task does not have;
            with file and row.
    """
    original = ORIGINALS[subset]
    lines = _lines(content, file)
    if original.has_header:
        _, header = next(lines, (1, []))
        check_names(header, map(str, original.fields.values()), str(file))
        positions = {column: header.index(str(field)) for column, field in original.fields.items()}
        width = len(header)
    else:
        positions = {column: int(field) for column, field in original.fields.items()}
        width = max(positions.values()) + 1
    numbers: list[int] = []
    columns: dict[str, list[Any]] = {column: [] for column in positions}
    for number, cells in lines:
        if len(cells) <= max(positions.values()) and original.truncated:
            continue
        _check_width(cells, positions, width, f"{file}, row {number}")
        numbers.append(number)
        for column, position in positions.items():
            columns[column].append(cells[position])
        columns["label"][-1] = _label(original, columns["label"][-1], f"{file}, row {number}")
    return Lines(tuple(columns), numbers, columns)


def _check_width(cells: list[str], positions: dict[str, int], width: int, place: str) -> None:
    """Refuse a row whose fields are not where the others' are: one is missing, or a text has a tab in it."""
    if len(cells) <= max(positions.values()):
        raise UserError(f"{place}: {len(cells)} fields, too few")
    if any(cells[width:]):
        raise UserError(f"{place}: {len(cells)} fields, too many; there are {width} columns")


def _label(original: Original, text: str, place: str) -> int | float:
    if original.labels is not None:
        if text not in original.labels:
            raise UserError(f"{place}: label {text[:40]!r} is none of {', '.join(original.labels)}")
        return original.labels[text]
    try:
        return float(text)
    except ValueError as error:
        raise UserError(f"{place}: label {text[:40]!r} is not a number") from error


def _lines(content: bytes, file: Path) -> Iterator[tuple[int, list[str]]]:
    """Number and fields of each line that is not blank."""
    for number, line in enumerate(content.split(b"\n"), 1):
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r")
        except UnicodeDecodeError as error:
            raise UserError(f"{file}, row {number}: not UTF-8: {error.reason} at byte {error.start}") from error
        if text.strip():
            yield number, text.split("\t")
