"""Table definitions: one YAML file in `configs/table/` says what a table's rows and columns are.

`docs/tables.md` documents the keys for users, who put files of their own into `table/` of their `--config-dir`. The
dataclasses are OmegaConf's structured configs: a value of another type than theirs is refused. What only the records
can tell is checked in `bench.tables.definition.names`.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import yaml
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from bench.configuration.folder import CONFIGS
from bench.errors import UserError, unknown_name
from bench.tables.definition.quantities import QUANTITIES, Quantity
from bench.tables.definition.settings import COMPONENTS

T = TypeVar("T")

GIGABYTES = re.compile(r"\bGB\b")
UNITS = ("score", "count", "percent", "GB", "MB", "s", "plain")
MOST_DIGITS = 15  # a number has no more
# What a key's value has to be, by its type; OmegaConf's own words are those of a programmer.
WORDS: dict[Any, str] = {
    str: "plain text", str | None: "plain text", int: "whole number", float: "number", bool: "true or false",
    tuple[str, ...]: "list", dict[str, str] | None: "mapping of metrics to headers",
}  # fmt: skip


@dataclass(frozen=True)
class ColumnDefinition:
    """One item of `columns`. Exactly one of `field`, `task`, `average` and `front` is set.

    Attributes:
        title: the header; for a task, the header above its metrics.
        field: what describes a run, one of `bench.tables.definition.quantities.QUANTITIES`.
        share_of: shows `field` as a percentage of this field.
        below: shows by how many percent `field` lies below that of this method in the same block.
        task: the last part of a task's name (`cola` is glue/cola and miniature/cola); "*" stands for every task of
            the experiment that no other column shows, with its main metric.
        metrics: metric → header under the task's; empty: the main metric.
        scale: scores are multiplied by it.
        average: the mean over tasks of the mean over each task's metrics, where every task of the experiment is there.
        front: fields that other columns show; 1 where no other row of the block has as little of each of them and as
            good a main score, and is better in one of these, else 0. Peaks a hundredth apart count as equal.
        unit: how numbers are written, one of `UNITS`; empty in a file: the field's own, percent for a share or a
            reduction, score for tasks.
        digits: after the point.
        better: "higher", "lower" or "none": which values are marked as best and second best.
    """

    title: str = ""
    field: str | None = None
    share_of: str | None = None
    below: str | None = None
    task: str | None = None
    metrics: dict[str, str] | None = None
    scale: float = 100.0
    average: bool = False
    front: tuple[str, ...] = ()
    unit: str = ""
    digits: int = 2
    better: str = "none"


@dataclass(frozen=True)
class TableDefinition:
    """One table.

    Attributes:
        name: as on the command line.
        survey: the survey's number of the table, such as III; empty for a user's own.
        title: the caption's first sentence.
        blocks: what a block of rows has in common: `model`, or `model` and `task`.
        rows: `method`, and settings such as `training.learning_rate` that make rows of their own.
        methods: the order of methods within a category; others follow by name.
        columns: from left to right.
        note: what a reader must know of the table whatever the records are.
        effects: rows are the components of methods, and values what each of them does.
    """

    name: str
    title: str
    columns: tuple[ColumnDefinition, ...]
    survey: str = ""
    blocks: tuple[str, ...] = ("model",)
    rows: tuple[str, ...] = ("method",)
    methods: tuple[str, ...] = ()
    note: str = ""
    effects: bool = False

    @property
    def row_keys(self) -> tuple[str, ...]:
        """The settings among `rows`, and the states of components that effects are made of."""
        return (*(key for key in self.rows if key != "method"), *((COMPONENTS,) if self.effects else ()))


def definition_files(config_dir: str | None = None) -> dict[str, Path]:
    """Definition → its file; a user's goes before the project's.

    Raises:
        UserError: there is no such folder.
    """
    if config_dir is not None and not Path(config_dir).is_dir():
        raise UserError(f"--config-dir {config_dir}: no such folder")
    folders = [CONFIGS, *([Path(config_dir)] if config_dir is not None else [])]
    return {file.stem: file for folder in folders for file in sorted((folder / "table").glob("*.yaml"))}


def load_definition(name: str, config_dir: str | None = None) -> TableDefinition:
    """Read the definition called `name` from the user's folder or, after it, the project's.

    Raises:
        UserError: no such definition, or one that says something else than a definition does.
    """
    files = definition_files(config_dir)
    if name not in files:
        raise unknown_name("table", name, files)
    path = files[name]
    data = read_yaml(path)
    if not isinstance(data, dict):
        raise UserError(f"{path}: a table definition is a mapping with title and columns")
    return _definition({"name": name, **data}, path)


def read_yaml(path: Path) -> Any:
    """What a file says.

    Raises:
        UserError: it is no YAML.
    """
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: {' '.join(str(error).split())}") from error


def _definition(data: dict[str, Any], path: Path) -> TableDefinition:
    columns = data.get("columns")
    if not data.get("title") or not isinstance(columns, list) or not columns:
        raise UserError(f"{path}: needs a title and a list of columns")
    table = _typed(TableDefinition, {**data, "columns": []}, str(path))
    if tuple(table.blocks) not in {("model",), ("model", "task")}:
        raise UserError(f"{path}: blocks must be [model] or [model, task]")
    if table.rows[:1] != ("method",):
        raise UserError(f"{path}: rows must be [method], or method and the settings that make rows")
    if "seed" in table.rows:
        raise UserError(f"{path}: rows: seeds are averaged over, they make no rows")
    found = tuple(_column(item, f"{path}: column {at}") for at, item in enumerate(columns, 1))
    if any(column.average for column in found) and all(column.task is None for column in found):
        raise UserError(f"{path}: an average needs columns of tasks; {{task: '*'}} is all of them")
    fields_shown = {column.field for column in found if not column.share_of and not column.below}
    for name in (name for column in found for name in column.front):
        if name not in fields_shown or all(column.task is None for column in found):
            raise UserError(f"{path}: a front needs columns of tasks and one of each of its fields, of {name} too")
    return replace(table, columns=found)


def in_megabytes(definition: TableDefinition) -> TableDefinition:
    """The same table with MB in place of GB, for records of which everything would be `<0.01`."""
    columns = tuple(
        replace(column, unit="MB", title=GIGABYTES.sub("MB", column.title)) if column.unit == "GB" else column
        for column in definition.columns
    )
    return replace(definition, columns=columns, note=definition.note.replace("1 GB = 10⁹ bytes", "1 MB = 10⁶ bytes"))


def with_columns(definition: TableDefinition, fields: Iterable[str]) -> TableDefinition:
    """The same table with these fields beside its columns; one that it shows already stays as it is."""
    there = {column.field for column in definition.columns if not column.share_of and not column.below}
    more = tuple(_asked(name, QUANTITIES[name]) for name in fields if name not in there)
    return replace(definition, columns=definition.columns + more)


def _asked(name: str, quantity: Quantity) -> ColumnDefinition:
    return ColumnDefinition(
        title=quantity.title, field=name, unit=quantity.written or quantity.unit, scale=quantity.scale,
        digits=quantity.digits, better=quantity.better,
    )  # fmt: skip


def _column(item: Any, where: str) -> ColumnDefinition:
    if not isinstance(item, dict):
        raise UserError(f"{where} is no mapping")
    column = _typed(ColumnDefinition, item, where)
    if sum([column.field is not None, column.task is not None, column.average, bool(column.front)]) != 1:
        raise UserError(f"{where} needs exactly one of field, task, average and front")
    for name in (column.field, column.share_of):
        if name is not None and name not in QUANTITIES:
            raise UserError(f"{where}: {unknown_name('field', name, QUANTITIES)}")
    own = QUANTITIES[column.field].unit if column.field is not None else "count" if column.front else "score"
    column = replace(column, unit=column.unit or ("percent" if column.share_of or column.below else own))
    if column.unit not in UNITS:
        raise UserError(f"{where}: unit={column.unit} must be one of {', '.join(UNITS)}")
    if column.better not in {"higher", "lower", "none"}:
        raise UserError(f"{where}: better={column.better} must be higher, lower or none")
    if not 0 <= column.digits <= MOST_DIGITS:
        raise UserError(f"{where}: digits={column.digits} must be between 0 and {MOST_DIGITS}")
    return column


def _typed(kind: type[T], data: dict[str, Any], where: str) -> T:
    """The dataclass `kind` with the values of `data`, each of its field's type."""
    known = {field.name: field.type for field in fields(kind)}  # type: ignore[arg-type]
    made = OmegaConf.structured(kind)
    OmegaConf.set_readonly(made, False)  # as frozen as the class
    values: dict[str, Any] = {}
    for key, value in data.items():
        if key not in known:
            raise UserError(f"{where}: {unknown_name('key', str(key), known)}")
        try:
            made[key] = value
            made_of = made[key]
            values[key] = OmegaConf.to_container(made_of, resolve=True) if OmegaConf.is_config(made_of) else made_of
        except OmegaConfBaseException as error:
            raise UserError(f"{where}: {key}={value} is no {WORDS[known[key]]}") from error
    return kind(**{key: tuple(value) if isinstance(value, list) else value for key, value in values.items()})


@lru_cache(maxsize=1024)
def title_of(group: str, name: str) -> tuple[str, str]:
    """Title and category of a model, task or method that has no record yet, from its YAML; else its name."""
    path = CONFIGS / group / f"{name}.yaml"
    data = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else {}
    data = data if isinstance(data, dict) else {}
    return str(data.get("title", name)), str(data.get("category", "other"))
