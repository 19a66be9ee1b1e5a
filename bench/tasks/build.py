"""From a task's configuration to the task, as models of one family do it."""

from typing import Any

from bench.configuration.cell import Cell
from bench.configuration.compose import build
from bench.errors import unknown_name
from bench.tasks.base import Task

FORMS = {
    "classification": "bench.tasks.classification.Classification",
    "regression": "bench.tasks.regression.Regression",
    "generation": "bench.tasks.generation.Generation",
    "multiple_choice": "bench.tasks.multiple_choice.MultipleChoice",
}
# A key of the YAML, and the class's own name for it where the protocol has a method of that name.
FIELDS = {"metrics": "scored_by"}


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
    if not isinstance(config, dict) or "form" not in config or "_target_" in config:
        return build(config, Task)
    settings = {FIELDS.get(key, key): value for key, value in config.items() if key != "form"}
    form = str(config["form"])
    if form not in FORMS:
        raise unknown_name("form of a task", form, FORMS)
    return build({"_target_": FORMS[form], **settings}, Task)
