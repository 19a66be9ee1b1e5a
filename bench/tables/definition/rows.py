"""Which rows a table has, in which order, and the runs behind each."""

import math
from typing import Any

import pandas as pd

from bench.tables.definition.frame import Records
from bench.tables.definition.grid import ExpectedCell
from bench.tables.definition.schema import TableDefinition, title_of
from bench.tables.definition.table import CATEGORIES, one_line

RowId = tuple[str, ...]  # model, task (empty unless blocks are split by it), method, row keys…, variant
Runs = dict[str, list[dict[str, Any]]]  # task → its cells
RUN = ("model", "task", "method", "mixture", "variant", "seed", "status", "metrics", "path")  # what every entry needs


class Titles:
    """How models, tasks and methods are called: as the records say, else as the project's configuration does."""

    def __init__(self, cells: pd.DataFrame) -> None:
        self._cells = {group: cells.drop_duplicates(group).set_index(group) for group in ("model", "task", "method")}

    def _of(self, group: str, name: str, column: str) -> str:
        known = self._cells[group]
        if name in known.index:
            return one_line(known.at[name, column])
        title, category = title_of(group, name)
        return one_line(category if column == "category" else title)

    def method(self, name: str) -> str:
        """The method's title."""
        return self._of("method", name, "method_title")

    def row(self, method: str, runs: Runs) -> str:
        """A row's: of a mixture what it was made of, where all that finished were made of the same."""
        made_of = {cell["mixture"] for of_task in runs.values() for cell in of_task if cell["status"] == "done"}
        return one_line(made_of.pop()) if len(made_of) == 1 and "" not in made_of else self.method(method)

    def category(self, method: str) -> str:
        """The method's category, a key of `CATEGORIES` or a user's own."""
        return self._of("method", method, "category")

    def block(self, model: str, task: str) -> str:
        """The block's title: the model's, and the task's unless it is empty."""
        title = self._of("model", model, "model_title")
        return f"{title} on {self._of('task', task, 'task_title')}" if task else title


def runs_by_row(records: Records, definition: TableDefinition) -> dict[RowId, Runs]:
    """The cells behind each row that has any, by task."""
    split, row_keys = "task" in definition.blocks, definition.row_keys
    fields = {name for item in definition.columns for name in (item.field, item.share_of) if name is not None}
    needed = [*dict.fromkeys([*RUN, *row_keys, *sorted(fields)])]
    rows: dict[RowId, Runs] = {}
    for values in zip(*(records.cells[name].tolist() for name in needed), strict=True):
        cell = dict(zip(needed, values, strict=True))
        keys = tuple(cell[key] for key in row_keys)
        row_id = (cell["model"], cell["task"] if split else "", cell["method"], *keys, cell["variant"])
        rows.setdefault(row_id, {}).setdefault(cell["task"], []).append(cell)
    return rows


def expected_seeds(expected: list[ExpectedCell], definition: TableDefinition) -> dict[tuple[RowId, str], set[int]]:
    """The seeds that the grid asks for, by row (without its variant) and task."""
    seeds: dict[tuple[RowId, str], set[int]] = {}
    for cell in expected:
        seeds.setdefault((_row_of(cell, definition), cell.task), set()).add(cell.seed)
    return seeds


def all_rows(runs: dict[RowId, Runs], records: Records, definition: TableDefinition) -> list[RowId]:
    """Rows with records, and those that the grid expects and that have none in any variant."""
    there = {row_id[:-1] for row_id in runs}
    missing = list(dict.fromkeys(_row_of(cell, definition) for cell in records.expected))
    # A grid that leaves a row key to the defaults does not say which row it means; the records do.
    have = {row[:3] for row in there}
    missing = [row for row in missing if row not in there and not ("" in row[3:] and row[:3] in have)]
    return [*runs, *((*row, "") for row in missing)]


def _row_of(cell: ExpectedCell, definition: TableDefinition) -> RowId:
    """The row, without its variant, in which an expected cell belongs."""
    settings = dict(cell.settings)
    task = cell.task if "task" in definition.blocks else ""
    return (cell.model, task, cell.method, *(settings.get(key, "") for key in definition.row_keys))


def order(rows: list[RowId], cells: pd.DataFrame, titles: Titles, definition: TableDefinition) -> list[RowId]:
    """Rows by model (the smaller first), task, category, method as the definition orders them, and settings."""
    sizes = cells.groupby("model")["base_total"].min().to_dict()
    categories, methods = list(CATEGORIES), definition.methods

    def place(row_id: RowId) -> tuple[Any, ...]:
        model, task, method = row_id[:3]
        size = sizes.get(model)
        category = titles.category(method)
        return (
            float("inf") if size is None or math.isnan(size) else size,
            model,
            task,
            categories.index(category) if category in categories else len(categories),
            category,
            methods.index(method) if method in methods else len(methods),
            method,
            tuple(_setting_place(key) for key in row_id[3:]),
        )

    return sorted(rows, key=place)


def _setting_place(text: str) -> tuple[int, float, str]:
    """Numbers by size, other text after them."""
    try:
        return 0, float(text), text
    except ValueError:
        return 1, 0.0, text
