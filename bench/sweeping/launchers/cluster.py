"""What the launchers of clusters share: a cell as a job on another machine, and the way back to its record.

A job gets the cell itself, composed and checked where the sweep was started; nothing is composed on a compute node.
Results folder, data, models and the Python environment must be seen there under the same paths.
"""

import faulthandler
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Timer
from typing import TypeAlias

from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from bench.configuration.cell import Cell
from bench.configuration.compose import cell_of, use_config_dir
from bench.configuration.ranges import SECONDS, WORKERS, check_number
from bench.errors import UserError
from bench.metering.sharing import share
from bench.records.crash import late_record, lost_record, refused_record
from bench.records.schema import Record, RecordError
from bench.records.store import FILE, folder_of, read_record, stamp_of, write_record
from bench.sweeping.cost import Costs
from bench.sweeping.launchers.log import LOG, print_to
from bench.sweeping.progress import CellProgress
from bench.sweeping.task import ELSEWHERE
from bench.system.terminal import say


@dataclass(frozen=True)
class Resources:
    """What a launcher gives each of its cells.

    Attributes:
        threads: CPU threads.
        sharing: how many cells run on its GPU at a time.
        timeout: seconds that it may take, since it was started last; None: any.
    """

    threads: int = 1
    sharing: int = 1
    timeout: float | None = None


@dataclass(frozen=True)
class Job:
    """What is sent to a compute node; plain data.

    Attributes:
        cell: what to run.
        planned: `stamp_of` the cell's folder when it was decided to run it.
        folder: where the sweep was started, absolute; relative paths hold from there.
        config_dir: the user's own folder of configurations and classes, absolute.
        given: what the cell may use.
    """

    cell: Cell
    planned: str
    folder: str
    config_dir: str | None
    given: Resources

    @property
    def processes(self) -> int:
        """Of the cell, each with a GPU of its own where there are GPUs."""
        return int(self.cell.config["processes"])


Answer: TypeAlias = Record | str  # the record, or a line on who else runs the cell
Outcome: TypeAlias = Answer | Exception  # an exception: the job ended without an answer


class ClusterLauncher(Launcher):
    """Hydra's launcher interface; what remains for each kind of cluster is `answers`."""

    def __init__(self, given: Resources, workers: int | None) -> None:
        """Create the launcher.

        Args:
            given: what each cell may use.
            workers: cells at a time; None: as many as the cluster lets run.

        Raises:
            UserError: a number that is out of its range.
        """
        check_number("workers", workers, WORKERS)
        check_number("timeout", given.timeout, SECONDS)
        check_number("threads", given.threads)
        self.given, self.workers = given, workers

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Called by Hydra once; the task function is always the running of a cell."""
        self._context, self._config = hydra_context, config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run one cell per list of overrides; every one ends in a record."""
        loader = self._context.config_loader
        cells = [cell_of(loader.load_sweep_config(self._config, list(overrides))) for overrides in job_overrides]
        return self.launch_cells(cells, Costs())

    def launch_cells(self, cells: Sequence[Cell], costs: Costs) -> Sequence[JobReturn]:
        """Run the cells in this order; every one ends in a record, also when its job dies."""
        sources = self._config.hydra.runtime.config_sources
        config_dir = next((source.path for source in sources if source.provider == "user"), None)
        jobs = [Job(cell, _stamp(cell), os.getcwd(), config_dir, self.given) for cell in cells]
        statuses = {}
        with CellProgress(len(cells), costs=costs, workers=self.workers or 1) as progress:
            if self.workers is not None:  # else nobody knows how many will run at once, and how long it will take
                for cell in cells:
                    progress.expect(cell)
            for job, outcome in self.answers(jobs, progress):
                statuses[job.cell.id] = _settle(job, outcome, progress)
            progress.summarise()
        return [JobReturn(status=JobStatus.COMPLETED, _return_value=statuses[cell.id]) for cell in cells]

    def answers(self, jobs: Sequence[Job], progress: CellProgress) -> Iterable[tuple[Job, Outcome]]:
        """Run all jobs, and give each with its outcome as it ends.

        Raises:
            UserError: the cluster cannot be reached, or refuses the jobs.
        """
        raise NotImplementedError


def run_there(job: Job) -> Answer:
    """Run a job's cell; called on the compute node, in a process of its own."""
    os.chdir(job.folder)
    if job.config_dir is not None:
        use_config_dir(job.config_dir)
    print_to(folder_of(job.cell.config["results_dir"], job.cell) / LOG, job.cell.config["results_dir"])
    faulthandler.enable()
    share(job.given.sharing)
    watch = Timer(job.given.timeout or 0.0, _give_up, [job])
    watch.daemon = True
    if job.given.timeout is not None:
        watch.start()

    import torch

    from bench.records.claims import STALE_SECONDS, ClaimedError
    from bench.running.attempt import run_in_sweep

    torch.set_num_threads(job.given.threads)
    try:
        # A job that was started anew on another node may find its dead predecessor's claim.
        record = run_in_sweep(job.cell, planned=job.planned, patience=2 * STALE_SECONDS)
    except ClaimedError as error:
        return str(error)
    finally:
        watch.cancel()
    if record.error is not None:
        say(f"{record.error.traceback}{record.error.type}: {record.error.message}", sys.stderr)
    return record


def _give_up(job: Job) -> None:
    """End this process, in which a cell takes too long; the log says where it was."""
    faulthandler.dump_traceback()
    record = late_record(job.cell, job.given.timeout or 0.0)
    try:
        write_record(record, folder_of(job.cell.config["results_dir"], job.cell))
    finally:
        os._exit(1)


def _stamp(cell: Cell) -> str:
    return stamp_of(folder_of(cell.config["results_dir"], cell))


def _settle(job: Job, outcome: Outcome, progress: CellProgress) -> str:
    """Take note of how a job ended, and return the cell's status."""
    cell = job.cell
    if isinstance(outcome, str):
        progress.say(outcome)
        return ELSEWHERE
    folder = folder_of(cell.config["results_dir"], cell)
    if isinstance(outcome, Exception) and stamp_of(folder) not in (job.planned, ""):
        outcome = _left_behind(cell, folder)  # the job died after its work, or has said itself why
    elif isinstance(outcome, Exception):
        outcome = lost_record(cell, outcome)
        try:
            write_record(outcome, folder)
        except UserError as error:
            progress.say(str(error))
    progress.finish(cell.id, outcome, folder / LOG)
    return outcome.status.value


def _left_behind(cell: Cell, folder: Path) -> Record:
    """The record in a cell's folder; one that says why, where that cannot be read."""
    try:
        return read_record(folder / FILE)
    except (RecordError, OSError) as error:
        return refused_record(cell, UserError(str(error)))
