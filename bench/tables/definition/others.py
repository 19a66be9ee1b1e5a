"""Figures that others reported: `others/*.yaml` in a folder of the user's own, checked before anything is shown.

They stand beside ours and apart from them: no test, mark, average or figure is made of them. The keys: docs/tables.md.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from bench.errors import UserError, unknown_name
from bench.tables.definition.names import configured
from bench.tables.definition.quantities import QUANTITIES

NEEDED = ("source", "seeds", "conditions", "experiment", "model", "rows")
OF_ROW = ("method", "values", "task")


@dataclass(frozen=True)
class Reported:
    """A row of figures of others.

    Attributes:
        source: where they were read.
        seeds: how many runs each is the mean of; None where the source does not say.
        conditions: under which they were got, in words.
        experiments: beside whose records they stand.
        model: on which; a name of the configuration.
        task: where blocks are of one task, which; else empty.
        method: as the table calls it.
        values: by column, in the unit that the table shows.
        file: where it is written, for messages.
    """

    source: str
    seeds: int | None
    conditions: str
    experiments: tuple[str, ...]
    model: str
    task: str
    method: str
    values: Mapping[str, float]
    file: Path


def read_others(config_dir: str | None) -> list[Reported]:
    """All rows of the user's folder, by file and place in it.

    Raises:
        UserError: a file that cannot be read, or says what cannot be; one line with its path.
    """
    files = [] if config_dir is None else sorted(Path(config_dir, "others").glob("*.yaml"))
    return [row for file in files for row in _rows(file, config_dir)]


def _rows(file: Path, config_dir: str | None) -> Iterator[Reported]:
    data = _mapping(_loaded(file), NEEDED, NEEDED, str(file))
    for key in ("source", "conditions", "model"):
        _text(data[key], f"{file}: {key}")
    seeds = data["seeds"]
    if seeds is not None and (type(seeds) is not int or seeds < 1):
        raise UserError(f"{file}: seeds={seeds} must be a number of runs, or null where the source does not say")
    experiments = data["experiment"] if isinstance(data["experiment"], list) else [data["experiment"]]
    for name in experiments:
        if not _text(name, f"{file}: experiment").startswith("ablation/"):
            _known("experiment", name, configured("experiment", config_dir), str(file))
    _known("model", data["model"], configured("model", config_dir), str(file))
    if not isinstance(data["rows"], list) or not data["rows"]:
        raise UserError(f"{file}: rows must be a list")
    tasks = configured("task", config_dir)
    for at, item in enumerate(data["rows"], 1):
        where = f"{file}: row {at}"
        row = _mapping(item, OF_ROW[:2], OF_ROW, where)
        if "task" in row:
            _known("task", row["task"], tasks, where)
        yield Reported(
            source=data["source"], seeds=seeds, conditions=data["conditions"], experiments=tuple(experiments),
            model=data["model"], task=row.get("task", ""), method=_text(row["method"], f"{where}: method"),
            values=_values(row["values"], tasks, where), file=file,
        )  # fmt: skip


def _loaded(file: Path) -> Any:
    try:
        return yaml.safe_load(file.read_text(encoding="utf-8"))
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise UserError(f"{file}{line}: no YAML: {error.problem}") from error
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
        raise UserError(f"{file}: cannot be read: {' '.join(str(error).split())}") from error


def _mapping(data: Any, needed: tuple[str, ...], known: tuple[str, ...], where: str) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise UserError(f"{where} must be of lines KEY: VALUE, with {', '.join(needed)}")
    for key in data:
        _known("key", key, known, where)
    lacking = [key for key in needed if key not in data]
    if lacking:
        raise UserError(f"{where} lacks {', '.join(lacking)}")
    return data


def _known(kind: str, name: Any, known: Any, where: str) -> None:
    if not isinstance(name, str) or name not in known:
        raise UserError(f"{where}: {unknown_name(kind, str(name), known)}")


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise UserError(f"{where} must be a text")
    return value


def _values(values: Any, tasks: set[str], where: str) -> dict[str, float]:
    """The figures, of columns that there can be: `average`, a field, a task, a task's metric."""
    if not isinstance(values, dict) or not values:
        raise UserError(f"{where}: values must be of lines COLUMN: NUMBER")
    names = {"average", *QUANTITIES, *tasks, *(name.rpartition("/")[2] for name in tasks)}
    for column, value in values.items():
        if not isinstance(column, str) or not {column, column.partition(".")[0]} & names:
            raise UserError(f"{where}: {unknown_name('column', str(column), names)}")
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise UserError(f"{where}: {column}={value} is no number")
    return {column: float(value) for column, value in values.items()}
