"""Which rows a declared task is trained and scored on in a cell, found but not yet read."""

from dataclasses import dataclass, field
from typing import Any

from bench.configuration.schema import DataConfig
from bench.data.declared import DataSource
from bench.data.selection import CUT, SELECTION, Selection
from bench.data.source import Located
from bench.errors import UserError
from bench.tasks.declaration import Declaration

SCORED = ("validation", "test")


@dataclass(frozen=True)
class DeclaredRows:
    """The rows of a cell.

    Attributes:
        train: to be trained on.
        validation, test: the splits that are scored, by name, see `TaskData`.
        scored_on: see `TaskData`.
    """

    train: Located
    validation: dict[str, Located]
    test: dict[str, Located] = field(default_factory=dict)
    scored_on: dict[str, Any] | None = None


def rows_for(task: Declaration, data: DataConfig) -> DeclaredRows:
    """Find the rows of a task; with `data.selects` nothing that is reported is looked for.

    Raises:
        UserError: files or splits that there are none of, or no rows to cut a share from.
    """
    if data.selects:
        return _unreported(task, data)
    roles = task.roles(data.root)
    train = _lesson(task, data)
    found = {role: {split: _at(task, task.source, split, data) for split in roles.get(role, ())} for role in SCORED}
    sets = {one.name: _at(task, one.source, one.split, data) for one in task.sets}
    if not found["validation"]:
        return DeclaredRows(train, sets)
    return DeclaredRows(train, found["validation"], found["test"] or sets)


def _unreported(task: Declaration, data: DataConfig) -> DeclaredRows:
    """The split for validation where another is reported, else a share of the task's own training rows.

    Whether there is one for validation is asked only where another is reported: of a folder from which the reported
    files were taken away, the training rows are enough.
    """
    roles = task.roles(data.root, validates=False)
    if "validation" in roles and ("test" in roles or task.sets):
        found = {split: _at(task, task.source, split, data) for split in roles["validation"]}
        return DeclaredRows(_lesson(task, data), found, scored_on={"split": ", ".join(found)})
    source = task.source
    if task.lesson is not None and "train" not in source.declared_splits(data.root):
        raise UserError(
            f"{CUT}: task '{task.name}' is trained on other rows than its own, and no share of its own can be cut off; "
            "name a split of them for train in task.data, or one for validation beside the one for test"
        )
    own = _at(task, source, source.train_split, data)
    cut = Selection(
        found=own, split=source.train_split, texts=tuple(task.texts), strata=task.strata, group=tuple(task.grouping),
        share=data.selection_share, seed=data.selection_seed,
    )  # fmt: skip
    train = cut.rest()
    if task.lesson is not None:
        texts = task.texts if task.instructions is None else task.instructions.texts
        train = cut.without(_lesson(task, data), texts)
    return DeclaredRows(train, {SELECTION: cut.scored()}, scored_on=cut.told())


def _lesson(task: Declaration, data: DataConfig) -> Located:
    """What is trained on."""
    if task.instructions is not None:
        return task.instructions.locate(data, task.miniature)
    source = task.lesson or task.source
    return _at(task, source, source.train_split, data)


def _at(task: Declaration, source: DataSource, split: str, data: DataConfig) -> Located:
    return source.locate(split, task.rules(), task.texts, data, task.miniature)
