"""Rows that a declared task takes from elsewhere: to be trained on (`trained_on`), or to be scored on (`tested_on`)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bench.configuration.annotations import filled
from bench.configuration.names import check_name
from bench.data.declared import ROLES, DataSource
from bench.errors import UserError, unknown_name
from bench.tasks.instructions import Instructions

INSTRUCTION = "instruction"
# Of `task.data`, what says where rows are, or which; another place has its own.
PLACES = frozenset({"files", "hub", "subset", "rows", "where", "splits", "holdout", "holdout_seed"})


@dataclass(frozen=True)
class Set:
    """A set of rows to be scored on. Attributes: name; source; split, of the source."""

    name: str
    source: DataSource
    split: str


def lesson_of(given: Mapping[str, Any], data: Mapping[str, Any], owner: str) -> Instructions | DataSource:
    """What `task.trained_on` says: instructions, or rows of the task's own columns.

    Raises:
        UserError: a form that is none, or a setting that it does not have.
    """
    settings = dict(given)
    form = settings.pop("form", None)
    if form is not None and form != INSTRUCTION:
        raise unknown_name("form in task.trained_on", str(form), (INSTRUCTION,))
    if form == INSTRUCTION:
        lesson = filled(Instructions, settings, "task.trained_on", owner)
        if lesson.source.holdout is not None:
            raise UserError("task.trained_on.data.holdout: nothing is held out of these rows")
        return lesson
    for key in settings:
        if key != "data":
            raise UserError(f"task.trained_on.{key}: without form: instruction there is data alone")
    if not isinstance(settings.get("data"), Mapping):
        raise UserError("task.trained_on needs data, a mapping that says where the rows come from")
    return _elsewhere(settings["data"], data, "task.trained_on.data", owner)


def sets_of(given: Mapping[str, Mapping[str, Any]], data: Mapping[str, Any], owner: str) -> list[Set]:
    """What `task.tested_on` says.

    Raises:
        UserError: a name that is none, or a setting that a source does not have.
    """
    sets = []
    for name, settings in given.items():
        if check_name("set in task.tested_on", str(name)) in ROLES:
            raise UserError(f"task.tested_on.{name}: {name} is what a split of task.data is called")
        where = f"task.tested_on.{name}"
        if not isinstance(settings, Mapping):
            raise UserError(f"{where}={settings} must be a mapping of settings")
        own = dict(settings)
        split = str(own.pop("split", "test"))
        if "splits" in own:
            raise UserError(f"{where}.splits: a set is one split; say {where}.split=test")
        sets.append(Set(str(name), _elsewhere(own, data, where, owner), split))
    return sets


def _elsewhere(own: Mapping[str, Any], data: Mapping[str, Any], where: str, owner: str) -> DataSource:
    """A source that differs from the task's in what is said; another repository or file takes no place from it."""
    if own.get("holdout") is not None:
        raise UserError(f"{where}.holdout: nothing is held out of these rows")
    if "may_be_empty" in own:
        raise UserError(f"{where}.may_be_empty: which texts may be empty is said once, in task.data.may_be_empty")
    if isinstance(own.get("files"), Mapping):
        raise UserError(f"{where}.files: name the file or files of this one split")
    moved = {"files", "hub"} & own.keys()
    left = PLACES if moved else {"holdout", "holdout_seed", "splits", "rows"}
    told = {key: value for key, value in data.items() if key not in left}
    if "subset" in own or "where" in own:
        told.pop("where", None)
    return filled(DataSource, told | dict(own), where, owner)
