"""Whether a record is of the cell in whose folder it lies: a copy, or a changed name, must not count for another."""

import os
from pathlib import Path
from typing import Any

from bench.configuration.cell import IDENTITY, Cell, hash_of, name_of
from bench.records.schema import CellIdentity


def contradiction(recorded: CellIdentity) -> str | None:
    """What is wrong with a record's name, in the words of a warning; None: its settings are those of its name."""
    settings = {key: recorded.config[key] for key in IDENTITY if key in recorded.config}
    named = [_name(settings, kind) for kind in ("model", "task", "method")]
    told = (recorded.model, recorded.task, recorded.method, recorded.seed)
    is_named = told == (*named, settings.get("seed")) and recorded.id == name_of(*told, recorded.config_hash)
    if is_named and any(recorded.config_hash == hash_of(settings, labels=labels) for labels in (False, True)):
        return None
    return f"the settings in it are not those of {recorded.id}"


def elsewhere(recorded_id: str, path: Path | str) -> str | None:
    """What is wrong with the place of a record; None: it lies in the folder of its cell."""
    # Not by `Path`, which takes most of the time of a look at 100,000.
    return (
        None
        if os.path.basename(os.path.dirname(path)) == recorded_id
        else f"it is of {recorded_id}, and lies in another folder"
    )


def is_of(recorded: CellIdentity, cell: Cell) -> bool:
    """Whether a record is of a cell, whatever it may be called by now."""
    if (recorded.id, recorded.config_hash) != (cell.id, cell.config_hash):
        return False
    settings = {key: recorded.config.get(key) for key in IDENTITY}
    return settings == cell.settings or hash_of(settings) == cell.config_hash


def in_one_line(path: Path | str, problem: str) -> str:
    """The warning."""
    return f"{path}: {problem}; it is not used"


def _name(settings: dict[str, Any], kind: str) -> Any:
    section = settings.get(kind)
    return section.get("name") if isinstance(section, dict) else None
