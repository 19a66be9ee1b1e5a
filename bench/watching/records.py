"""What is shown of an experiment's records, read again only where their files have changed."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.identity.fingerprints import Comparisons
from bench.records.finding import Found
from bench.records.kept import columns_below
from bench.records.schema import Status
from bench.sweeping.stale import SETTLED, STALE
from bench.tables.definition.frame import frame_of
from bench.tables.definition.grid import ExpectedCell, expected_cells
from bench.tables.definition.missing import missing_cells

COLUMNS = (
    "path", "model", "task", "method", "seed", "status", "error", "main", "metrics", "total_seconds", "settings",
    "made_of",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Seen:
    """What is shown of one record; `seconds` of its cell, `score` of its main metric."""

    model: str
    task: str
    method: str
    seed: int
    state: str
    error: str
    metric: str
    score: float | None
    seconds: float | None


@dataclass
class Records:
    """The records of one experiment.

    Attributes:
        seen: by the name of the cell's folder; those that cannot be read are not in it.
        missing: what the newest record's grid asks for beside them.
    """

    seen: dict[str, Seen] = field(default_factory=dict)
    missing: list[ExpectedCell] = field(default_factory=list)
    _files: list[Found] = field(default_factory=list)

    def look(self, top: Path, files: Sequence[Found]) -> None:
        """Read again what has changed.

        Args:
            top: the experiment's folder.
            files: of all its records.
        """
        ordered = sorted(files, key=lambda found: found.path)
        if ordered == self._files:
            return
        table, _ = columns_below(top, ordered)
        frame = frame_of(table)
        comparisons = Comparisons()
        rows = zip(*(frame[name].tolist() for name in COLUMNS), strict=True)
        self.seen = {Path(path).parent.name: _seen(values, comparisons) for path, *values in rows}
        newest = frame.sort_values("end")["grid"].iloc[-1] if len(frame) else "[]"
        self.missing = missing_cells(expected_cells(json.loads(newest)), frame)
        self._files = ordered


def _seen(values: Sequence[Any], comparisons: Comparisons) -> Seen:
    model, task, method, seed, status, error, main, metrics, seconds, settings, made_of = values
    state = status
    if status in [one.value for one in SETTLED]:
        config = json.loads(settings)
        if config.get("model") and config.get("data"):
            state = STALE if comparisons.of(json.loads(made_of), config).changed else status
    main = main if isinstance(main, str) else ""  # else none, in pandas' ways of saying so
    score = metrics.get(main)
    said = (error or "").strip().splitlines() if isinstance(error, str) and status != Status.done else []
    taken = None if seconds is None or math.isnan(seconds) else float(seconds)
    return Seen(model, task, method, int(seed), state, said[0] if said else "", main, score, taken)
