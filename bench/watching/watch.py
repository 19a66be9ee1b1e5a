"""Where all cells of a results folder stand now: from records, claims, and what sweeps and running cells say."""

import threading
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from bench.records.claims import Claim
from bench.records.progress import Progress, progress_of
from bench.records.schema import Status
from bench.records.store import results_folder
from bench.sweeping.announcement import Announced, Announcement, announcements
from bench.sweeping.status import INTERRUPTED, RUNNING, UNREADABLE, WAITING
from bench.watching.claims import Claims
from bench.watching.folders import CellFolder, cell_folders
from bench.watching.records import Records, Seen
from bench.watching.remaining import seconds_left

FRESH = 1.0  # seconds that a look serves for all who ask
UNKNOWN = "?"


@dataclass(frozen=True, slots=True)
class Cell:
    """Where one cell stands; `folder` is None while it has none; `ended`, in seconds, is the time of its record."""

    id: str
    model: str
    task: str
    method: str
    seed: int | None
    state: str
    seen: Seen | None = None
    folder: Path | None = None
    claim: Claim | None = None
    progress: Progress | None = None
    ended: float = 0.0


@dataclass
class Experiment:
    """Where the cells of one experiment stand.

    Attributes:
        name: its own.
        cells: by id.
        seconds_left: of the sweeps that run it; None: none does, or it cannot be judged yet.
        sweeps: how many run it.
    """

    name: str
    cells: dict[str, Cell] = field(default_factory=dict)
    seconds_left: float | None = None
    sweeps: int = 0

    @property
    def counts(self) -> Counter[str]:
        """How many cells are in each state."""
        return Counter(cell.state for cell in self.cells.values())


class Watch:
    """Looks at a results folder; what has not changed since the last look is known."""

    def __init__(self, results_dir: str | Path) -> None:
        self.results_dir = Path(results_dir)
        self._claims, self._records = Claims(), defaultdict[str, Records](Records)
        self._lock, self._looked = threading.Lock(), -FRESH
        self._found: dict[str, Experiment] = {}

    def look(self) -> dict[str, Experiment]:
        """Every experiment by its name, as of now or of a moment ago.

        Raises:
            UserError: the results folder cannot be read.
        """
        with self._lock:
            if time.monotonic() - self._looked >= FRESH:
                results_folder(self.results_dir)
                self._found = self._look()
                self._looked = time.monotonic()
            return self._found

    def _look(self) -> dict[str, Experiment]:
        folders: dict[str, list[CellFolder]] = defaultdict(list)
        for one in cell_folders(self.results_dir):
            folders[one.experiment].append(one)
        return {name: self._experiment(name, [one for one in folders[name] if one.name]) for name in sorted(folders)}

    def _experiment(self, name: str, folders: list[CellFolder]) -> Experiment:
        top = self.results_dir / name
        records, said = self._records[name], announcements(top)
        records.look(top, [one.record for one in folders if one.record is not None])
        announced = {cell.id: cell for one in said for cell in one.cells}
        experiment = Experiment(name, sweeps=sum(one.is_alive for one in said))
        for one in folders:
            experiment.cells[one.name] = self._cell(one, records.seen.get(one.name), announced.get(one.name))
        for cell in announced.values():
            if cell.id not in experiment.cells:
                experiment.cells[cell.id] = Cell(cell.id, cell.model, cell.task, cell.method, cell.seed, WAITING)
        there = Counter((cell.model, cell.task, cell.method, cell.seed) for cell in _without_records(experiment))
        for number, wanted in enumerate(records.missing):
            key = (wanted.model, wanted.task, wanted.method, wanted.seed)
            if there[key]:
                there[key] -= 1
            else:
                experiment.cells[f"{WAITING} {number}"] = Cell("", *key, WAITING)
        experiment.seconds_left = _seconds_left(experiment, said)
        return experiment

    def _cell(self, at: CellFolder, seen: Seen | None, announced: Announced | None) -> Cell:
        claim = self._claims.of(at.path)
        state, progress = self._state(at, seen, claim), None
        if state in (RUNNING, INTERRUPTED):  # what was killed has left its last words
            progress = progress_of(at.path)
        who = seen or progress or announced
        model, task, method = (UNKNOWN,) * 3 if who is None else (who.model, who.task, who.method)
        seed = None if who is None else who.seed
        ended = 0.0 if at.record is None else at.record.identity[2] / 1e9
        held = claim if state == RUNNING else None
        return Cell(at.name, model, task, method, seed, state, seen, at.path, held, progress, ended)

    @staticmethod
    def _state(at: CellFolder, seen: Seen | None, claim: Claim | None) -> str:
        if claim is not None and not claim.is_free:
            return RUNNING
        if at.record is not None:
            return UNREADABLE if seen is None else seen.state
        return WAITING if claim is None or claim.is_released else INTERRUPTED


def _seconds_left(experiment: Experiment, said: list[Announcement]) -> float | None:
    shares, taken = dict[str, float](), dict[str, float]()
    for one in said:
        since = datetime.fromisoformat(one.owner.since).timestamp()
        for cell in (experiment.cells[wanted.id] for wanted in one.cells):
            if cell.ended < since or cell.state == RUNNING:  # a record of before is of an attempt that is made again
                now = cell.progress
                shares[cell.id] = 1.0 - (now.step / now.total if now is not None and now.total else 0.0)
            elif cell.seen is not None and cell.state == Status.done and cell.seen.seconds:
                taken[cell.id] = cell.seen.seconds
    return seconds_left(said, taken, shares, experiment.counts[RUNNING])


def _without_records(experiment: Experiment) -> list[Cell]:
    return [cell for cell in experiment.cells.values() if cell.seen is None]
