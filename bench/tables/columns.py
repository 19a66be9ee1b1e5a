"""A definition's columns made concrete: which of them an experiment has, and under which headers."""

from dataclasses import dataclass

from bench.errors import NothingToShowError, UserError
from bench.records.columns import COLUMNS
from bench.tables.definition import ColumnDefinition, TableDefinition, title_of
from bench.tables.frame import Records
from bench.tables.table import Column, one_line

HUNDREDS = frozenset({"bleu", "chrf", "ter"})  # metrics that are in 0…100 already


@dataclass(frozen=True)
class Shown:
    """A column of the table and where its values come from: a field, or a `task`'s `metric` times `scale`."""

    column: Column
    definition: ColumnDefinition
    task: str | None = None
    metric: str | None = None
    scale: float = 1.0


def shown_columns(definition: TableDefinition, records: Records, tasks: dict[str, list[str]]) -> list[Shown]:
    """The columns to show, from left to right.

    Args:
        definition: the table's.
        records: the experiment's.
        tasks: the experiment's tasks for each model.

    Raises:
        UserError: the definition asks for an unknown field.
        NothingToShowError: it asks for none of the experiment's tasks.
    """
    everything = list(dict.fromkeys(task for names in tasks.values() for task in names))
    named = {
        task for item in definition.columns if item.task not in {None, "*"} for task in _matching(item, everything)
    }
    shown: list[Shown] = []
    for item in definition.columns:
        if item.field is not None:
            shown.append(_field(item))
        elif item.task == "*":
            for task in everything:
                if task not in named:
                    shown += _task(item, task, records)
        elif item.task is not None:
            for task in _matching(item, everything):
                shown += _task(item, task, records)
    if any(item.task for item in definition.columns) and not any(item.task for item in shown):
        raise NothingToShowError(
            f"the table '{definition.name}' shows none of the tasks of '{records.experiment}': {', '.join(everything)}"
        )
    averages = [
        _average(item, len(named & set(everything) or everything)) for item in definition.columns if item.average
    ]
    return shown + averages if _several_tasks(shown, tasks) else shown


def _several_tasks(shown: list[Shown], tasks: dict[str, list[str]]) -> bool:
    visible = {item.task for item in shown}
    return any(len(visible & set(names)) > 1 for names in tasks.values())


def _matching(item: ColumnDefinition, tasks: list[str]) -> list[str]:
    return [task for task in tasks if item.task in {task, task.rpartition("/")[2]}]


def _field(item: ColumnDefinition) -> Shown:
    for name in (item.field, item.share_of):
        if name is not None and name not in COLUMNS:
            raise UserError(f"unknown field '{name}' in a table definition; docs/tables.md lists them")
    key = (
        str(item.field)
        + (f"_of_{item.share_of}" if item.share_of else "")
        + (f"_below_{item.below}" if item.below else "")
    )
    title = one_line(item.title or item.field)
    return Shown(Column(key, "", title, item.unit, item.digits, item.better, score=False), item)


def _task(item: ColumnDefinition, task: str, records: Records) -> list[Shown]:
    cells = records.cells[records.cells["task"] == task]
    main = next((name for name in cells["main"] if isinstance(name, str)), None)
    metrics = item.metrics or {main or "score": ""}
    title = item.title or (str(cells["task_title"].iloc[0]) if len(cells) else title_of("task", task)[0])
    several = len(metrics) > 1
    shown = []
    for metric, header in metrics.items():
        scale = item.scale if item.metrics or metric not in HUNDREDS else 1.0
        group, last = (one_line(title), one_line(header)) if several or header else ("", one_line(title))
        key = f"{task.rpartition('/')[2]}.{metric}"
        column = Column(key, group, last, item.unit, item.digits, _better(item), score=True)
        shown.append(Shown(column, item, task, metric, scale))
    return shown


def _better(item: ColumnDefinition) -> str:
    return "higher" if item.better == "none" else item.better


def _average(item: ColumnDefinition, tasks: int) -> Shown:
    title = one_line(item.title or "Average")
    return Shown(Column("average", "", f"{title} ({tasks})", item.unit, item.digits, _better(item), score=True), item)
