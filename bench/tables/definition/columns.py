"""A definition's columns made concrete: which of them an experiment has, and under which headers."""

from collections import Counter
from dataclasses import dataclass

from bench.errors import NothingToShowError, UserError
from bench.records.fields import CURVE
from bench.records.metric import HIGHER, Metric
from bench.tables.definition.frame import Records
from bench.tables.definition.metrics import main_better, metric_of
from bench.tables.definition.schema import ColumnDefinition, TableDefinition, title_of
from bench.tables.definition.table import Column, one_line

HUNDREDS = frozenset({"ter"})  # in 0…100 already, but without a bound that says so
HUNDRED = 100.0  # a metric that goes so far is not shown ×100


@dataclass(frozen=True)
class Shown:
    """A column of the table and where its values come from: a field, or a `task`'s `metric` times `scale`.

    Attributes:
        about: what the metric is.
    """

    column: Column
    definition: ColumnDefinition
    task: str | None = None
    metric: str | None = None
    scale: float = 1.0
    about: Metric | None = None

    @property
    def averaged(self) -> bool:
        """Whether the average over tasks has it."""
        return self.about is not None and self.about.averaged


def shown_columns(definition: TableDefinition, records: Records, tasks: dict[str, list[str]]) -> list[Shown]:
    """The columns to show, from left to right.

    Args:
        definition: the table's.
        records: the experiment's.
        tasks: the experiment's tasks for each model.

    Raises:
        UserError: the definition has one column twice.
        NothingToShowError: it asks for none of the experiment's tasks.
    """
    everything = list(dict.fromkeys(task for names in tasks.values() for task in names))
    short = short_names(everything)
    named = {
        task for item in definition.columns if item.task not in {None, "*"} for task in _matching(item, everything)
    }
    shown: list[Shown] = []
    for item in definition.columns:
        if item.front:
            shown.append(Shown(Column("front", "", one_line(item.title or "Front"), item.unit, 0, "none", False), item))
        elif item.field is not None:
            shown.append(_field(item, main_better(records, everything)))
        elif item.task == "*":
            for task in everything:
                if task not in named:
                    shown += _task(item, task, short[task], records)
        elif item.task is not None:
            for task in _matching(item, everything):
                shown += _task(item, task, short[task], records)
    if any(item.task for item in definition.columns) and not any(item.task for item in shown):
        raise NothingToShowError(
            f"the table '{definition.name}' shows none of the tasks of '{records.experiment}': {', '.join(everything)}"
        )
    several = _several_averaged(shown, tasks)
    averages = [_average(item, len(averaged_tasks(shown))) for item in definition.columns if item.average and several]
    keys = Counter(item.column.key for item in [*shown, *averages])
    if twice := [key for key, count in keys.items() if count > 1]:
        raise UserError(f"the table '{definition.name}' has the column '{twice[0]}' twice; one of them has to go")
    return shown + averages


def short_names(tasks: list[str]) -> dict[str, str]:
    """What each task is called in a column's key: its last part, or all of its name where two end in the same word."""
    last = {task: task.rpartition("/")[2] for task in tasks}
    often = Counter(last.values())
    return {task: word if often[word] == 1 else task for task, word in last.items()}


def averaged_tasks(shown: list[Shown]) -> list[str]:
    """The tasks in an average: those of whose metrics at least one may be averaged with others'."""
    return list(dict.fromkeys(item.task for item in shown if item.task is not None and item.averaged))


def _several_averaged(shown: list[Shown], tasks: dict[str, list[str]]) -> bool:
    averaged = set(averaged_tasks(shown))
    return any(len(averaged & set(names)) > 1 for names in tasks.values())


def _matching(item: ColumnDefinition, tasks: list[str]) -> list[str]:
    return [task for task in tasks if item.task in {task, task.rpartition("/")[2]}]


def field_key(item: ColumnDefinition) -> str:
    """The key of a column that shows a field."""
    share = f"_of_{item.share_of}" if item.share_of else ""
    return f"{item.field}{share}" + (f"_below_{item.below}" if item.below else "")


def _field(item: ColumnDefinition, main_better: str) -> Shown:
    unit = {"percent": "%"}.get(item.unit, item.unit)
    title = one_line(item.title or (f"{item.field} ({unit})" if unit in {"%", "GB", "MB", "s"} else item.field))
    # A value along training is as good as its metric says, whatever the definition takes for better.
    better = main_better if item.field in CURVE and item.better != "none" else item.better
    return Shown(Column(field_key(item), "", title, item.unit, item.digits, better, score=False), item)


def _task(item: ColumnDefinition, task: str, name: str, records: Records) -> list[Shown]:
    cells = records.cells[records.cells["task"] == task]
    main = next((metric for metric in cells["main"] if isinstance(metric, str)), None)
    metrics = item.metrics or {main or "score": ""}
    title = item.title or (str(cells["task_title"].iloc[0]) if len(cells) else title_of("task", task)[0])
    if "/" in name and title != name:  # another task ends in the same word
        title = f"{title} ({name.rpartition('/')[0]})"
    several = len(metrics) > 1
    shown = []
    for metric, header in metrics.items():
        # Of a task that has no record yet nobody knows the metric; its average is incomplete, not without it.
        about = metric_of(records, task, metric) if main or item.metrics else Metric(metric, averaged=True)
        whole = metric in HUNDREDS or (about.high is not None and about.high >= HUNDRED)
        scale = item.scale if item.metrics or not whole else 1.0
        group, last = (one_line(title), one_line(header)) if several or header else ("", one_line(title))
        column = Column(
            f"{name}.{metric}", group, last, item.unit, item.digits, _better(item, about.better), score=True
        )
        shown.append(Shown(column, item, task, metric, scale, about))
    return shown


def _better(item: ColumnDefinition, way: str) -> str:
    """As the definition says, else as the metric does."""
    return way if item.better == "none" else item.better


def _average(item: ColumnDefinition, tasks: int) -> Shown:
    title = one_line(item.title or "Average")
    return Shown(
        Column("average", "", f"{title} ({tasks})", item.unit, item.digits, _better(item, HIGHER), score=True), item
    )
