"""The trackers of one cell: they are told what happens, and the record says what became of them."""

import json
import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from bench.configuration.cell import Cell
from bench.configuration.origins import leaves
from bench.configuration.trackers import trackers_of
from bench.tracking.guarded import Guarded
from bench.tracking.making import make_tracker

# Seconds that a cell waits for a tracker, at most.
START_SECONDS, LOG_SECONDS, FINISH_SECONDS = 60.0, 10.0, 60.0

Warn = Callable[[str], None]


class Trackers:
    """Those of a cell; none until they are started."""

    def __init__(self) -> None:
        self._all: list[Guarded] = []
        self._warned: set[str] = set()

    @property
    def are_there(self) -> bool:
        """Whether somebody is told anything."""
        return bool(self._all)

    def start(self, cell: Cell, warn: Warn) -> None:
        """Begin a run of each tracker, and give it the cell's settings."""
        settings = {key: _plain(value) for key, value in leaves(cell.settings)}
        for name in trackers_of(cell.config):
            tracker = Guarded(name, partial(make_tracker, name, cell))
            self._all.append(tracker)
            tracker.ask("at its start", lambda one: one.store_init_configuration(dict(settings)), START_SECONDS)
        self._tell(warn)

    def log(self, values: Mapping[str, float | None], step: int, warn: Warn) -> None:
        """Hand numbers on; those that are not there, or are no numbers, are left out."""
        known = {key: value for key, value in values.items() if value is not None and math.isfinite(value)}
        for tracker in self._all if known else ():
            tracker.ask(f"at step {step}", lambda one: one.log(dict(known), step=step), LOG_SECONDS)
        self._tell(warn)

    def finish(self, warn: Warn) -> None:
        """End each run."""
        for tracker in self._all:
            tracker.ask("at its end", lambda one: one.finish(), FINISH_SECONDS)
            tracker.end()
        self._tell(warn)

    def told(self) -> dict[str, dict[str, Any]]:
        """For the record: of each tracker the seconds that the cell waited for it, and its fault."""
        return {one.name: {"seconds": one.seconds, "problem": one.problem} for one in self._all}

    def _tell(self, warn: Warn) -> None:
        for tracker in self._all:
            if tracker.problem is not None and tracker.name not in self._warned:
                self._warned.add(tracker.name)
                warn(f"the tracker {tracker.name} {tracker.problem}; the cell goes on without it")


def _plain(value: Any) -> bool | int | float | str:
    """A setting as every tracker takes it."""
    return value if isinstance(value, bool | int | float | str) else json.dumps(value, ensure_ascii=False, default=str)
