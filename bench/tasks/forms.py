"""The forms of a task that YAML alone declares, and the task of what such a YAML says."""

from typing import Any

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


def declared_from(config: dict[str, Any]) -> Task:
    """The task that a configuration declares by its `form`.

    Raises:
        UserError: no such form, or a setting that it does not have or take.
    """
    settings = {FIELDS.get(key, key): value for key, value in config.items() if key != "form"}
    form = str(config["form"])
    if form not in FORMS:
        raise unknown_name("form of a task", form, FORMS)
    return build(settings | {"_target_": FORMS[form]}, Task)
