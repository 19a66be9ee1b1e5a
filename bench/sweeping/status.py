"""Where the cells of an experiment stand: from records and claims alone, also while sweeps run."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.configuration.cell import Cell
from bench.records.claims import current_claim
from bench.records.schema import RecordError, Status
from bench.records.store import FILE, read_record
from bench.sweeping.launchers.log import LOG
from bench.sweeping.stale import STALE, Glances, Seen, Verdicts

# Beside the statuses of records, in the order in which they are shown.
RUNNING, INTERRUPTED, UNREADABLE, WAITING = "running", "interrupted", "unreadable", "not started"
ORDER = (*(status.value for status in Status), STALE, UNREADABLE, RUNNING, INTERRUPTED, WAITING)
FAILURES = (Status.failed, Status.out_of_memory, Status.unsupported, UNREADABLE)


@dataclass(frozen=True)
class Running:
    """A cell that a process runs now; times in seconds."""

    cell: str
    host: str | None
    pid: int | None
    since: str | None
    seconds: float | None
    last_sign_of_life: float


@dataclass(frozen=True)
class Failed:
    """A cell whose last attempt did not end well."""

    cell: str
    status: str
    error: str  # first line
    log: str | None


@dataclass
class Standing:
    """Where the cells of one experiment stand; `seen`: their records, by folder."""

    experiment: str
    counts: Counter[str] = field(default_factory=Counter)
    running: list[Running] = field(default_factory=list)
    failures: list[Failed] = field(default_factory=list)
    seen: dict[Path, Seen | None] = field(default_factory=dict)

    @property
    def verdicts(self) -> Verdicts:
        """Which cells are stale and why, and what else is to be said of finished ones."""
        return Verdicts(self.seen)


def standings(cells: Mapping[Path, Cell]) -> list[Standing]:
    """Look at the folders of the cells.

    Raises:
        UserError: a folder cannot be read.
    """
    found: dict[str, Standing] = {}
    glances = Glances()
    for folder, cell in cells.items():
        standing = found.setdefault(cell.experiment, Standing(cell.experiment))
        standing.counts[_look(folder, cell, standing, glances)] += 1
    return list(found.values())


def _look(folder: Path, cell: Cell, standing: Standing, glances: Glances) -> str:
    """Where one cell stands; details go into `standing`."""
    claim = current_claim(folder)
    if claim is not None and not claim.is_free:
        standing.running.append(_running(folder.name, claim.owner, claim.age))
        return RUNNING
    try:
        seen = standing.seen[folder] = glances.at(folder, cell)
        if seen is not None and seen.state in FAILURES:
            standing.failures.append(_failed(folder, seen.status))
    except RecordError as error:
        standing.failures.append(Failed(folder.name, UNREADABLE, str(error).splitlines()[0], None))
        return UNREADABLE
    if seen is None:
        return WAITING if claim is None or claim.is_released else INTERRUPTED
    return seen.state


def _running(cell: str, owner: Any, age: float) -> Running:
    if owner is None:  # its file is being written
        return Running(cell, None, None, None, None, age)
    seconds = (datetime.now(UTC) - datetime.fromisoformat(owner.since)).total_seconds()
    return Running(cell, owner.host, owner.pid, owner.since, seconds, age)


def _failed(folder: Path, status: Status) -> Failed:
    error = read_record(folder / FILE).error
    lines = error.message.strip().splitlines() if error is not None else []
    first = f"{error.type}: {lines[0] if lines else ''}" if error is not None else ""
    log = folder / LOG
    return Failed(folder.name, status.value, first, str(log) if log.exists() else None)


def to_json(found: Sequence[Standing]) -> str:
    """All of it, for programs: {"experiments": [{"experiment", "cells", "counts", "running", "failures", …}]}."""
    experiments = [
        {
            "experiment": standing.experiment,
            "cells": standing.counts.total(),
            "counts": {name: standing.counts[name] for name in ORDER if standing.counts[name]},
            "running": [asdict(one) for one in standing.running],
            "failures": [asdict(one) for one in standing.failures],
            "stale": standing.verdicts.changes,
            "remarks": standing.verdicts.remarks,
        }
        for standing in found
    ]
    return json.dumps({"experiments": experiments}, indent=1)
