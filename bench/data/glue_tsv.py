"""GLUE's original files, as its own download script leaves them: `CoLA/train.tsv`, `MNLI/dev_matched.tsv`.

Columns, their order and the quoting (none) are those that the hub's loading script for GLUE reads
(huggingface/datasets, datasets/glue/glue.py); labels become its indices.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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


def original_file(root: Path, name: str, subset: str | None, split: str) -> Path | None:
    """The original file of a GLUE split, below the root or in the hub's folder; None if it is not there."""
    if subset not in ORIGINALS or split not in FILES:
        return None
    candidates = [folder / f"{FILES[split]}.tsv" for folder in (root / ORIGINALS[subset].folder, root / name)]
    return next((file for file in candidates if file.is_file()), None)


def read_original(file: Path, subset: str, split: str) -> Iterator[dict[str, Any]]:
    """The rows of an original file, in the hub's columns.

    Raises:
        UserError: a row that is not UTF-8 or lacks a field, a label that the task does not have; with file and row.
    """
    original = ORIGINALS[subset]
    lines = _lines(file)
    fields = {**original.texts, "label": original.label}
    first = 1
    if any(isinstance(field, str) for field in fields.values()):
        header, first = next(lines, []), 2
        for field in fields.values():
            if field not in header:
                raise UserError(f"{file}: the column {field} is missing; it has {', '.join(header)}")
        positions = {column: header.index(str(field)) for column, field in fields.items()}
    else:
        positions = {column: int(field) for column, field in fields.items()}
    for number, cells in enumerate(lines, first):
        if len(cells) <= max(positions.values()):
            if original.truncated:
                continue
            raise UserError(f"{file}, row {number}: {len(cells)} fields, too few")
        row: dict[str, Any] = {column: cells[position] for column, position in positions.items()}
        yield row | {"label": _label(original, row["label"], file, number)}


def _label(original: Original, text: str, file: Path, number: int) -> int | float:
    if original.labels is not None:
        if text not in original.labels:
            raise UserError(f"{file}, row {number}: label '{text}' is none of {', '.join(original.labels)}")
        return original.labels[text]
    try:
        return float(text)
    except ValueError as error:
        raise UserError(f"{file}, row {number}: label '{text}' is not a number") from error


def _lines(file: Path) -> Iterator[list[str]]:
    with file.open("rb") as stream:
        for number, line in enumerate(stream, 1):
            try:
                text = line.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                raise UserError(f"{file}, row {number}: not UTF-8: {error.reason} at byte {error.start}") from error
            yield text.rstrip("\r\n").split("\t")
