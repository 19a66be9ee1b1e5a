"""How far a running cell is, in a small file beside its claim, for whoever looks on; nothing else rests on it.

Written by the process that runs the cell, at most once a second, and removed when the attempt ends.
"""

import json
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from bench.configuration.cell import Cell
from bench.records.shape import made
from bench.system.cache import write_once
from bench.system.plain_files import read_file

FILE = ".progress.json"
SECONDS = 1.0  # between two writings
LOSSES = 60  # that are kept, the last ones

Report = Callable[[str, int, int, float | None], None]


@dataclass(frozen=True)
class Progress:
    """Where a cell is.

    Attributes:
        model, task, method, seed: of the cell.
        phase: `load`, `train`, `evaluate`, …
        step, total: steps of training that are done, and all.
        loss: the last one; None before there is any.
        losses: the last ones.
    """

    model: str
    task: str
    method: str
    seed: int
    phase: str = ""
    step: int = 0
    total: int = 0
    loss: float | None = None
    losses: list[float] = field(default_factory=list)


@contextmanager
def told(cell: Cell, folder: Path, report: Report) -> Iterator[Report]:
    """The same report, which also writes the file, within the block; a file that cannot be written ends nothing."""
    path, written = folder / FILE, 0.0
    now = Progress(cell.model, cell.task, cell.method, cell.seed)

    def tell(phase: str, step: int, total: int, loss: float | None) -> None:
        nonlocal now, written
        number = loss if loss is not None and math.isfinite(loss) else None  # JSON has no other ones
        losses = now.losses if number is None else [*now.losses, number][-LOSSES:]
        is_other = phase != now.phase
        now = replace(now, phase=phase, step=step, total=total, loss=number, losses=losses)
        if is_other or time.monotonic() - written >= SECONDS:
            written = time.monotonic()
            with suppress(OSError):
                write_once(path, lambda scratch: _write(scratch, now))
        report(phase, step, total, loss)

    try:
        yield tell
    finally:
        with suppress(OSError):
            path.unlink(missing_ok=True)


def progress_of(folder: Path) -> Progress | None:
    """Where the cell in `folder` is; None where nothing is said of it that can be read."""
    try:
        found: Any = made(Progress, json.loads(read_file(folder / FILE)), "progress", 0)
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, Progress) else None


def _write(path: Path, now: Progress) -> None:
    path.write_text(json.dumps(asdict(now)), encoding="utf-8")
