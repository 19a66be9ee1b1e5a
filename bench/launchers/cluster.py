"""What the launchers of clusters share: a cell as a job on another machine, and the way back to its record.

A job gets the cell itself, composed and checked where the sweep was started; nothing is composed on a compute node.
Results folder, data, models and the Python environment must be seen there under the same paths.
"""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from bench.cell import Cell
from bench.compose import ELSEWHERE, cell_of, use_config_dir
from bench.launchers.log import LOG, print_to
from bench.progress import CellProgress
from bench.records.crash import lost_record
from bench.records.schema import Record
from bench.records.store import folder_of, is_done, stamp_of, write_record


@dataclass(frozen=True)
class Job:
    """What is sent to a compute node; plain data.

    Attributes:
        cell: what to run.
        planned: `stamp_of` the cell's folder when it was decided to run it.
        folder: where the sweep was started, absolute; relative paths hold from there.
        config_dir: the user's own folder of configurations and classes, absolute.
        threads: CPU threads.
    """

    cell: Cell
    planned: str
    folder: str
    config_dir: str | None
    threads: int


Answer: TypeAlias = Record | str  # the record, or a line on who else runs the cell
Outcome: TypeAlias = Answer | Exception  # an exception: the job ended without an answer


class ClusterLauncher(Launcher):
    """Hydra's launcher interface; what remains for each kind of cluster is `answers`."""

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Called by Hydra once; the task function is always the running of a cell."""
        self._context, self._config = hydra_context, config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run one cell per list of overrides; every one ends in a record, also when its job dies."""
        loader = self._context.config_loader
        cells = [cell_of(loader.load_sweep_config(self._config, list(overrides))) for overrides in job_overrides]
        sources = self._config.hydra.runtime.config_sources
        config_dir = next((source.path for source in sources if source.provider == "user"), None)
        jobs = [
            Job(cell, stamp_of(folder_of(cell.config["results_dir"], cell)), os.getcwd(), config_dir, self.threads)
            for cell in cells
        ]
        statuses = {}
        with CellProgress(len(jobs)) as progress:
            for job, outcome in self.answers(jobs, progress):
                statuses[job.cell.id] = _settle(job.cell, outcome, progress)
        return [
            JobReturn(overrides=overrides, status=JobStatus.COMPLETED, _return_value=statuses[cell.id])
            for overrides, cell in zip(job_overrides, cells, strict=True)
        ]

    @property
    def threads(self) -> int:
        """CPU threads of a cell."""
        raise NotImplementedError

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
    print_to(folder_of(job.cell.config["results_dir"], job.cell) / LOG)

    import torch

    from bench.attempt import run_in_sweep
    from bench.records.claims import STALE_SECONDS, ClaimedError

    torch.set_num_threads(job.threads)
    try:
        # A job that was started anew on another node may find its dead predecessor's claim.
        return run_in_sweep(job.cell, planned=job.planned, patience=2 * STALE_SECONDS)
    except ClaimedError as error:
        return str(error)


def _settle(cell: Cell, outcome: Outcome, progress: CellProgress) -> str:
    """Take note of how a job ended, and return the cell's status."""
    if isinstance(outcome, str):
        progress.say(outcome)
        return ELSEWHERE
    folder = folder_of(cell.config["results_dir"], cell)
    if isinstance(outcome, Exception):
        if is_done(folder):  # the job died after its work
            return "done"
        outcome = lost_record(cell, outcome)
        write_record(outcome, folder)
    progress.finish(cell.id, outcome)
    return outcome.status.value
