"""Which cells the survey's tables have: by the definitions that carry their numbers, and by what is configured."""

from collections.abc import Iterable, Mapping
from typing import Any

from bench.errors import UserError, unknown_name
from bench.tables.definition.columns import field_key
from bench.tables.definition.names import configured
from bench.tables.definition.schema import ColumnDefinition, TableDefinition, definition_files, load_definition

CELL = ("table", "row", "model", "column")  # with the table's row keys, these name a cell


def model_name(model: str) -> str:
    """A model's name as the configuration spells it: the paper's roberta-base is roberta_base."""
    return model.replace("-", "_").lower()


def survey_tables(config_dir: str | None = None) -> dict[str, list[TableDefinition]]:
    """The survey's number of a table → its definitions, the project's and the user's."""
    tables: dict[str, list[TableDefinition]] = {}
    for name in definition_files(config_dir):
        definition = load_definition(name, config_dir)
        if definition.survey:
            tables.setdefault(definition.survey, []).append(definition)
    return tables


def row_keys(tables: Mapping[str, list[TableDefinition]]) -> list[str]:
    """All settings that make rows in one of `tables`."""
    return sorted({key for definitions in tables.values() for one in definitions for key in one.row_keys})


def check_cells(
    cells: Iterable[tuple[str, Mapping[str, Any]]],
    tables: Mapping[str, list[TableDefinition]],
    config_dir: str | None = None,
) -> None:
    """Refuse cells that no table has.

    Args:
        cells: where each stands, for the message, and the cell: the keys `CELL` and the table's row keys.
        tables: see `survey_tables`.
        config_dir: the user's folder, for methods and models.

    Raises:
        UserError: there is one, with the nearest known names.
    """
    methods, tasks = configured("method", config_dir), configured("task", config_dir)
    models = {model_name(name) for name in configured("model", config_dir)}
    for where, cell in cells:
        number, row, model, column = (str(cell[key]) for key in CELL)
        if number not in tables:
            raise UserError(f"{where}: {unknown_name('table', number, tables)}")
        if row not in methods:
            raise UserError(f"{where}: {unknown_name('method', row, methods)}")
        if model_name(model) not in models:
            raise UserError(f"{where}: {unknown_name('model', model, models)}")
        columns = {name for one in tables[number] for item in one.columns for name in _names(item, tasks)}
        task, dot, metric = column.partition(".")
        if f"{task.rpartition('/')[2]}{dot}{metric}" not in columns:
            raise UserError(f"{where}: {unknown_name(f'column of Table {number}', column, columns)}")
        _check_row_keys(where, {*cell} - {*CELL}, tables[number])


def _names(item: ColumnDefinition, tasks: set[str]) -> list[str]:
    """What a column may be called: a field, `average`, a task (its first metric) or a task's metric."""
    if item.field is not None:
        return [field_key(item)]
    if item.average:
        return ["average"]
    names = sorted({name.rpartition("/")[2] for name in tasks}) if item.task == "*" else [str(item.task)]
    return [*names, *(f"{name}.{metric}" for name in names for metric in item.metrics or {})]


def _check_row_keys(where: str, given: set[str], definitions: list[TableDefinition]) -> None:
    if any(given == {*one.row_keys} for one in definitions):
        return
    number, needed = definitions[0].survey, definitions[0].row_keys
    lacking = [key for key in needed if key not in given]
    if lacking:
        raise UserError(f"{where}: Table {number} has a row for each {lacking[0]}; say which: {lacking[0]}=VALUE")
    raise UserError(f"{where}: Table {number} has no rows for each {min(given - {*needed})}")
