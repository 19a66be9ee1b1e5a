"""A first declaration of a task, from a look at a file: which columns are text, which is the label, and of what kind.

Nothing is asked; what was assumed is said line by line, and written beside the declaration.
"""

import csv
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean
from typing import Any

import yaml

from bench.configuration.names import check_name
from bench.data.columns import Lines, Rules
from bench.data.content import content_of, digest_of
from bench.data.declared_rules import Plain, plain_text
from bench.data.delimited import SUFFIXES, Dialect, read_delimited
from bench.data.json_lines import read_json, read_json_lines
from bench.data.own_files import KINDS
from bench.data.parquet import names_of, read_parquet
from bench.errors import UserError

# Names that say what a column is, in the order in which they are believed.
LABELS = ("label", "labels", "class", "target", "category", "sentiment", "stars", "rating", "score", "gold_label", "y")
PAIRS = (
    ("premise", "hypothesis"), ("sentence1", "sentence2"), ("question1", "question2"), ("question", "sentence"),
    ("question", "passage"), ("question", "context"), ("text1", "text2"), ("text_a", "text_b"), ("query", "document"),
)  # fmt: skip
MOST_LABELS = 50
FEW_WORDS = 1.5  # on average; a column of fewer is no text
HOLDOUT = 0.1
DELIMITERS = ",;\t|"
SAMPLED = 64 * 1024  # characters that the delimiter is guessed from


@dataclass
class Proposal:
    """What a look at a file suggests. Attributes: config, the declaration; assumed, why, one line each."""

    config: dict[str, Any]
    assumed: list[str] = field(default_factory=list)

    def yaml(self) -> str:
        """The declaration as a file, what was assumed in comments above it."""
        comments = "".join(f"# {line}\n" for line in self.assumed)
        text: str = yaml.safe_dump(self.config, sort_keys=False, allow_unicode=True, width=120)
        return comments + text


def propose(file: Path, written: str, name: str | None = None) -> Proposal:
    """Look at a file of rows.

    Args:
        file: CSV, TSV, JSON lines or parquet.
        written: how the declaration is to name it.
        name: of the task; None: the file's.

    Raises:
        UserError: it cannot be read, or has no column that could be text, or none that could be its label.
    """
    if file.suffix not in KINDS:
        raise UserError(f"{file}: only {', '.join(KINDS)} are read")
    called = name if name is not None else re.sub(r"[^\w.-]+", "_", file.stem).strip("._-") or "task"
    check_name("task", called)
    columns, data, assumed = _columns(file, written)
    label = _label(columns, assumed)
    texts = _texts(columns, label, assumed)
    if empty := [column for column in texts if any(not value.strip() for value in columns[column])]:
        data["may_be_empty"] = empty
        assumed.append(f"{', '.join(empty)} may be empty: in some rows it is")
    config: dict[str, Any] = {"form": "classification", "name": called, "title": called.replace("_", " "), "data": data}
    config |= {"text": texts[0] if len(texts) == 1 else texts, "label": label}
    values = Counter(columns[label])
    if "" in values:
        raise UserError(
            f"{file}: {label}, which looks like the label, is empty in {values['']} rows; fill or remove them"
        )
    numbers = _numbers(columns[label])
    if numbers is not None and (len(values) > MOST_LABELS or any(number % 1 for number in numbers)):
        config |= {"form": "regression", "low": min(numbers), "high": max(numbers)}
        config["metrics"] = ["pearson", "spearman", "rmse"]
        assumed.append(
            f"{label} is a number to be foretold, between {min(numbers):g} and {max(numbers):g} in this file"
        )
    else:
        if not 2 <= len(values) <= MOST_LABELS:
            raise UserError(f"{file}: {label} has {len(values)} different values; a label has 2 to {MOST_LABELS}")
        config["labels"] = sorted(values) if numbers is None else sorted(values, key=float)
        config["metrics"] = ["accuracy", "f1" if len(values) == 2 else "f1_macro"]
        assumed.append(f"{label} is one of {len(values)} labels: {_shares(values)}")
        if len(values) == 2:
            assumed.append(f"f1 is that of the second label, {config['labels'][1]}")
    data["holdout"] = HOLDOUT
    assumed.append(f"{HOLDOUT:.0%} of the different texts are kept for validation; name data.files.validation instead")
    return Proposal(config, assumed)


def _columns(file: Path, written: str) -> tuple[Mapping[str, Sequence[str]], dict[str, Any], list[str]]:
    """All columns as text, the file's part of the declaration, and what was assumed of it."""
    content, data, assumed = content_of(file, digest_of(file)), dict[str, Any](files=written), list[str]()
    if file.suffix == ".parquet":
        rules: Rules = {name: Plain() for name in names_of(content, file)}
        table = read_parquet(content, file, rules)
        return {name: [value or "" for value in table.column(name).to_pylist()] for name in rules}, data, assumed
    if file.suffix in (".json", ".jsonl"):
        read = read_json if file.suffix == ".json" else read_json_lines
        return _as_text(read(content, file, None), file), data, assumed
    delimiter = _delimiter(content, SUFFIXES[file.suffix])
    if delimiter != SUFFIXES[file.suffix]:
        data["delimiter"] = delimiter
        assumed.append(f"fields are told apart by {delimiter!r}")
    dialect = Dialect.of(file, delimiter, None)
    lines = read_delimited(content, file, None, dialect)
    if len(set(lines.header)) < len(lines.header) or not all(lines.header):
        raise UserError(f"{file}: its first row is no header: columns need different names, and none may be empty")
    return _as_text(lines, file), data, assumed


def _as_text(lines: Lines, file: Path) -> dict[str, list[str]]:
    if not lines.numbers:
        raise UserError(f"{file}: there are no rows")
    for name, values in lines.columns.items():
        for number, value in zip(lines.numbers, values, strict=True):
            if isinstance(value, list | dict):
                raise UserError(
                    f"{file}, row {number}: {name} is a {type(value).__name__}; columns are text or numbers"
                )
    return {
        name: ["" if value is None else plain_text(value) for value in values] for name, values in lines.columns.items()
    }


def _delimiter(content: bytes, usual: str) -> str:
    """What most likely parts the header and the rows below it."""
    sample = content[:SAMPLED].decode(errors="replace").removeprefix("\ufeff")
    first = sample.partition("\n")[0]
    if usual in first:
        return usual
    try:
        return csv.Sniffer().sniff(sample, delimiters=DELIMITERS).delimiter
    except csv.Error:  # one column
        return usual


def _label(columns: Mapping[str, Sequence[str]], assumed: list[str]) -> str:
    by_name = {name.lower(): name for name in columns}
    for name in LABELS:
        if name in by_name:
            assumed.append(f"{by_name[name]} is the label: it is called so")
            return by_name[name]
    counts = {name: len(set(values)) for name, values in columns.items()}
    rows = len(next(iter(columns.values())))
    fitting = [name for name, count in counts.items() if 2 <= count <= min(MOST_LABELS, max(2, rows // 2))]
    if not fitting:
        raise UserError(
            f"none of the columns {', '.join(columns)} looks like a label: one that has 2 to {MOST_LABELS} different "
            "values, or is called label"
        )
    found = min(fitting, key=lambda name: (mean(len(value.split()) for value in columns[name]), counts[name]))
    assumed.append(f"{found} is the label: it has the fewest words and {counts[found]} different values")
    return found


def _texts(columns: Mapping[str, Sequence[str]], label: str, assumed: list[str]) -> list[str]:
    words = {
        name: mean(len(value.split()) for value in values)
        for name, values in columns.items()
        if name != label and _numbers(values) is None
    }
    by_name = {name.lower(): name for name in words}
    for first, second in PAIRS:
        if first in by_name and second in by_name:
            pair = [by_name[first], by_name[second]]
            assumed.append(f"{pair[0]} and {pair[1]} are the texts: they are called so")
            return pair
    long = [name for name, count in words.items() if count >= FEW_WORDS]
    if not long and words:
        long = [max(words, key=lambda name: (len(set(columns[name])), words[name]))]
    if not long:
        raise UserError(
            f"beside {label}, which looks like the label, no column of {', '.join(columns)} looks like text"
        )
    chosen = max(long, key=lambda name: words[name])
    assumed.append(f"{chosen} is the text: it has the most words, {words[chosen]:.1f} on average")
    if others := [name for name in columns if name not in (chosen, label)]:
        assumed.append(f"not used: {', '.join(others)}; two texts are written text: [first, second]")
    return [chosen]


def _numbers(values: Sequence[str]) -> list[float] | None:
    """The values as numbers; None where one is none."""
    try:
        return [float(value) for value in values]
    except ValueError:
        return None


def _shares(values: Mapping[str, int]) -> str:
    total = sum(values.values())
    shown = sorted(values, key=lambda value: -values[value])[:5]
    return ", ".join(f"{value} {values[value] / total:.0%}" for value in shown) + (", …" if len(values) > 5 else "")
