"""From a task's configuration to the task, as models of one family do it."""

from typing import Any

from bench.configuration.cell import Cell
from bench.configuration.compose import build, class_at
from bench.tasks.around import Around
from bench.tasks.base import Task
from bench.tasks.forms import declared_from


def task_of(cell: Cell) -> Task:
    """The task of a cell.

    Raises:
        UserError: a setting that it does not have or take, or a model that cannot do it.
    """
    return task_from(cell.config["task"]).on(cell.base.family)


def task_from(config: dict[str, Any]) -> Task:
    """The task that a configuration declares by its `form`, or whose class it names by `_target_`.

    Raises:
        UserError: no such form or class, or a setting that it does not have or take.
    """
    if not isinstance(config, dict):
        return build(config, Task)
    if "_target_" not in config:
        return declared_from(config) if "form" in config else build(config, Task)
    kind = class_at(config["_target_"], config.get("name", "?"))
    return build(kind.gathered(config) if issubclass(kind, Around) else config, Task)
