"""Run cells on this machine: one fresh process each, several at a time.

A process of its own keeps a cell's memory figures clean and the others safe from its crash. The processes come from a
fork server that has already imported the heavy libraries, so that starting one takes tenths of a second.
"""

import time
from collections import deque
from collections.abc import Sequence

from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from bench.configuration.cell import Cell
from bench.configuration.compose import cell_of
from bench.configuration.ranges import SECONDS, WORKERS, check_number
from bench.errors import UserError
from bench.records.claims import current_claim
from bench.records.crash import crash_record, late_record, refused_record
from bench.records.schema import Record, RecordError
from bench.records.store import FILE, folder_of, read_record, stamp_of, write_record
from bench.sweeping.cost import Costs
from bench.sweeping.launchers.log import LOG
from bench.sweeping.launchers.pool import Pool, Worker, start_fork_server
from bench.sweeping.progress import CellProgress
from bench.system.gpus import visible_gpus
from bench.system.processors import processors

LOOK_SECONDS = 2.0  # between two looks at cells that another sweep runs
LONGEST_WAIT = 3600.0  # the system waits for no more than 24 days at once


class LocalLauncher(Launcher):
    """Hydra's launcher interface on top of `Sweep`."""

    def __init__(self, workers: int | None, timeout: float | None = None) -> None:
        """Create the launcher.

        Args:
            workers: cells at a time; None: one per visible GPU, else one per CPU core.
            timeout: seconds that a cell may take; None: any.

        Raises:
            UserError: a number that is out of its range.
        """
        check_number("workers", workers, WORKERS)
        check_number("timeout", timeout, SECONDS)
        self._workers, self._timeout = workers, timeout
        self._context: HydraContext | None = None
        self._config: DictConfig | None = None

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Called by Hydra once; the task function is always the running of a cell."""
        self._context, self._config = hydra_context, config

    def prepare(self) -> None:
        """Let what workers need begin to be imported, while the cells are still being composed."""
        start_fork_server(visible_gpus())

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run one cell per list of overrides; every one ends in a record."""
        assert self._context is not None
        assert self._config is not None
        loader, config = self._context.config_loader, self._config
        return self.launch_cells(
            [cell_of(loader.load_sweep_config(config, list(overrides))) for overrides in job_overrides], Costs()
        )

    def launch_cells(self, cells: Sequence[Cell], costs: Costs) -> Sequence[JobReturn]:
        """Run the cells in this order; every one ends in a record."""
        records = run_cells(cells, self._workers, self._timeout, costs)
        return [JobReturn(status=JobStatus.COMPLETED, _return_value=record.status.value) for record in records]


def run_cells(
    cells: Sequence[Cell], workers: int | None = None, timeout: float | None = None, costs: Costs | None = None
) -> list[Record]:
    """Run cells, `workers` at a time, and return their records in the same order.

    Cells that another sweep runs come last: they are waited for, and run here if the other dies.
    """
    gpus = visible_gpus()
    size = min(len(cells), workers or len(gpus) or processors())
    pool = Pool(size, gpus)
    with CellProgress(len(cells), costs=costs, workers=size) as progress:
        sweep = Sweep(cells, pool, progress, timeout)
        try:
            sweep.run()
        finally:
            pool.stop(pool.running)
        progress.summarise()
    return [sweep.records[cell.id] for cell in cells]


class Sweep:
    """The cells of one sweep: waiting, running here, running elsewhere, or with a record."""

    def __init__(self, cells: Sequence[Cell], pool: Pool, progress: CellProgress, timeout: float | None) -> None:
        self.records: dict[str, Record] = {}
        self._waiting, self._elsewhere = deque(cells), list[Cell]()
        self._folders = {cell.id: folder_of(cell.config["results_dir"], cell) for cell in cells}
        self._planned = {cell.id: stamp_of(self._folders[cell.id]) for cell in cells}
        self._pool, self._progress, self._timeout = pool, progress, timeout
        self._looked = 0.0  # when, by the monotonic clock
        for cell in cells:
            progress.expect(cell)

    def run(self) -> None:
        """Run until every cell has a record."""
        while self._waiting or self._pool.running or self._elsewhere:
            while self._waiting and not self._pool.is_full:
                self._start(self._waiting.popleft())
            if self._pool.running or self._elsewhere:
                self._pool.wait(self._patience())
            for worker in self._pool.running:
                for progress in worker.hear():
                    self._progress.update(worker.cell.id, *progress)
            self._end_late_ones()
            for worker in self._pool.take_ended():
                self._take(worker)
            self._look_elsewhere()

    def _start(self, cell: Cell) -> None:
        if not self._settled_elsewhere(cell):
            folder = self._folders[cell.id]
            self._pool.start(cell, self._planned[cell.id], folder / LOG)

    def _patience(self) -> float:
        """Seconds until something has to be looked at although no worker says anything."""
        left = [LOOK_SECONDS] if self._elsewhere else [LONGEST_WAIT]
        if self._timeout is not None:
            left += [max(0.0, self._timeout - worker.seconds) for worker in self._pool.running]
        return min(left)

    def _end_late_ones(self) -> None:
        late = [worker for worker in self._pool.running if worker.seconds >= (self._timeout or float("inf"))]
        self._pool.ask_where(late)
        self._pool.stop(late)
        for worker in late:
            for _ in worker.hear():  # its last words
                pass
            if worker.answer is None:  # else it was done just in time
                worker.answer = late_record(worker.cell, self._timeout or 0.0)
                self._write(worker.answer, worker.cell)

    def _take(self, worker: Worker) -> None:
        """Take what a worker has left: its record, word of another sweep, or nothing, if it died."""
        cell, answer = worker.cell, worker.answer
        if isinstance(answer, str):
            self._progress.postpone(cell.id, answer)
            self._elsewhere.append(cell)
            return
        if answer is None:
            answer = crash_record(cell, worker.process.exitcode)
            self._write(answer, cell)
        self._finish(cell, answer)

    def _look_elsewhere(self) -> None:
        """Cells that another sweep has finished have their record; those whose other sweep died come next."""
        if time.monotonic() - self._looked < LOOK_SECONDS:
            return
        self._looked = time.monotonic()
        for cell in list(self._elsewhere):
            claim = current_claim(self._folders[cell.id])
            if self._settled_elsewhere(cell):
                self._elsewhere.remove(cell)
            elif claim is None or claim.is_free:
                self._elsewhere.remove(cell)
                self._waiting.appendleft(cell)

    def _settled_elsewhere(self, cell: Cell) -> bool:
        """Take the record that another sweep has written since this one began, if there is one."""
        folder = self._folders[cell.id]
        if stamp_of(folder) in (self._planned[cell.id], ""):
            return False
        try:
            record = read_record(folder / FILE)
        except (RecordError, OSError) as error:  # written by whatever else, or removed again
            record = refused_record(cell, UserError(str(error)))
        self._finish(cell, record)
        return True

    def _write(self, record: Record, cell: Cell) -> None:
        try:
            write_record(record, self._folders[cell.id])
        except UserError as error:  # a full disk; the sweep knows the record, and goes on
            self._progress.say(str(error))

    def _finish(self, cell: Cell, record: Record) -> None:
        self.records[cell.id] = record
        self._progress.finish(cell.id, record, self._folders[cell.id] / LOG)
