"""Cells as jobs of a SLURM cluster: arrays, requeued when they are preempted or run out of time.

Submitit is the engine: it submits, requeues on its signal shortly before the time limit, and brings the answers back.
The settings are those of hydra-submitit-launcher, whose own launcher gives up when one job dies; this one does not.
"""

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import takewhile
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from bench.configuration.ranges import POSITIVE, Range, check_number
from bench.errors import UserError
from bench.identity.libraries import HARNESS
from bench.sweeping.launchers.cluster import Answer, ClusterLauncher, Job, Outcome, Resources, run_there
from bench.sweeping.progress import CellProgress
from bench.system.links import stays_inside

STATE_SECONDS = 30  # how often SLURM is asked for the jobs' states, at most
GRACE_SECONDS = 15  # an ended job's answer may take this long to be seen over a shared file system
DEFAULT_WORKERS = 256
WHOLE = {
    "cpus_per_task": (1, 1024), "gpus_per_node": (0, 1024), "nodes": (1, 10**4), "tasks_per_node": (1, 1024),
    "timeout_min": (1, 10**6), "max_num_timeout": (0, 10**6), "signal_delay_s": (0, 10**6), "array_size": (1, 10**5),
}  # fmt: skip
MISSING = f"hydra/launcher=slurm needs its extra: pip install '{HARNESS}[slurm]'"


class JobDiedError(Exception):
    """A job ended without an answer: killed, cancelled, or its node is gone."""


class ResumableJob:
    """What submitit runs; `checkpoint` makes it requeue the job, which goes on from the cell's own checkpoint."""

    def __call__(self, job: Job) -> Answer:
        """Run the cell."""
        return run_there(job)

    def checkpoint(self, job: Job) -> Any:
        """What to run when the job starts anew."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self, job)


class SlurmLauncher(ClusterLauncher):
    """`hydra/launcher=slurm`."""

    def __init__(self, workers: int | None, array_size: int, timeout: float | None = None, **settings: Any) -> None:
        """Create the launcher.

        Args:
            workers: cells of one array at a time; None: as many as SLURM lets run, at most 256.
            array_size: cells in one job array.
            timeout: seconds that a cell may take; None: any.
            settings: hydra-submitit-launcher's.

        Raises:
            UserError: a number that is out of its range.
        """
        self._settings: dict[str, Any] = OmegaConf.to_container(OmegaConf.create(settings))  # type: ignore[assignment]
        self._array_size = array_size
        for key, (least, most) in WHOLE.items():
            check_number(key, {**self._settings, "array_size": array_size}.get(key), Range(least, most, whole=True))
        check_number("mem_gb", self._settings.get("mem_gb"), POSITIVE)
        threads = self._settings.get("cpus_per_task") or 1
        super().__init__(Resources(threads=threads, timeout=timeout), workers)

    def answers(self, jobs: Sequence[Job], progress: CellProgress) -> Iterator[tuple[Job, Outcome]]:
        """Submit the jobs as arrays, and wait for them; interrupted, cancel them."""
        executor = self._executor(jobs)
        running: dict[Any, Job] = {}
        try:
            for start in range(0, len(jobs), self._array_size):
                part = list(jobs[start : start + self._array_size])
                running |= zip(_submit(executor, part), part, strict=True)
            names = ", ".join(sorted({_array(handle) for handle in running}))
            progress.say(f"{len(jobs)} jobs submitted to SLURM ({names}); their own messages: {executor.folder.parent}")
            yield from _wait(dict(running), running)
        finally:
            if running:
                subprocess.run(["scancel", *(handle.job_id for handle in running)], check=False, capture_output=True)

    def _executor(self, jobs: Sequence[Job]) -> Any:
        try:
            import submitit
            from hydra_plugins.hydra_submitit_launcher.config import BaseQueueConf, SlurmQueueConf
            from submitit.slurm.slurm import SlurmInfoWatcher, SlurmJob
        except ImportError as error:
            raise UserError(MISSING) from error
        SlurmJob.watcher = SlurmInfoWatcher(delay_s=STATE_SECONDS)
        results = Path(jobs[0].cell.config["results_dir"]).resolve()
        given = {key: value for key, value in self._settings.items() if value is not None}
        given["submitit_folder"] = str(private_folder(given.get("submitit_folder"), results) / "%j")
        given.setdefault("name", "bench")
        if not names_gpus(given) and has_gpus(given.get("partition")):
            given["gpus_per_node"] = max(job.processes for job in jobs)
        try:
            checked: DictConfig = OmegaConf.merge(OmegaConf.structured(SlurmQueueConf), given)  # type: ignore[assignment]
        except OmegaConfBaseException as error:
            raise UserError(f"hydra.launcher: {str(error).splitlines()[0]}") from error
        settings: dict[str, Any] = OmegaConf.to_container(checked)  # type: ignore[assignment]
        folder, timeouts = settings.pop("submitit_folder"), settings.pop("max_num_timeout")
        settings |= {"array_parallelism": self.workers or DEFAULT_WORKERS}
        del settings["_target_"]
        common = set(OmegaConf.structured(BaseQueueConf))
        try:
            executor = submitit.AutoExecutor(folder=folder, cluster="slurm", slurm_max_num_timeout=timeouts)
            executor.update_parameters(**{k if k in common else f"slurm_{k}": v for k, v in settings.items()})
        except (RuntimeError, NameError, ValueError) as error:
            raise UserError(f"hydra/launcher=slurm: {str(error).splitlines()[0]}") from error
        return executor


def private_folder(wanted: str | None, results: Path) -> Path:
    """A new folder for the files of one sweep, which only its user may write.

    Submitit brings cells and answers as pickles, and a pickle can run anything; so it must never find one that lay in a
    results folder before, or that somebody else has put there.

    Args:
        wanted: where submitit's folders are to be; what follows a `%` in it is SLURM's to fill in. None: in `results`.
        results: the sweep's results folder, absolute.

    Raises:
        UserError: it cannot be made, or `.slurm` leads out of the results folder.
    """
    parts = takewhile(lambda part: "%" not in part, Path(wanted).absolute().parts) if wanted else (results, ".slurm")
    base = Path(*parts)
    if wanted is None and not stays_inside(base, results):
        raise UserError(f"{base} is a link that leads out of the results folder")
    try:
        base.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix=f"{datetime.now(UTC):%Y%m%d-%H%M%S}-", dir=base))
    except OSError as error:
        raise UserError(f"hydra/launcher=slurm: no folder can be made in {base}: {error.strerror}") from error


def names_gpus(settings: Mapping[str, Any]) -> bool:
    """Whether a user has said what GPUs a job gets, in one of the ways that SLURM knows."""
    further = settings.get("additional_parameters") or {}
    return any(str(key).replace("-", "_").startswith(("gpus", "gres")) for key in [*settings, *further])


def has_gpus(partition: str | None) -> bool:
    """Whether SLURM counts GPUs in these partitions, or, where none is named, in the one that it would take.

    Raises:
        UserError: there is no SLURM, or no such partition.
    """
    partition = partition or os.environ.get("SBATCH_PARTITION")
    command = ["sinfo", "--noheader", "--format=%P|%G", *([f"--partition={partition}"] if partition else [])]
    try:
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    except FileNotFoundError as error:
        raise UserError("hydra/launcher=slurm: there is no SLURM on this machine (sinfo is not found)") from error
    except subprocess.CalledProcessError as error:
        raise UserError(f"hydra/launcher=slurm: {error.stderr.strip().splitlines()[-1]}") from error
    rows = [line.partition("|") for line in said.splitlines()]
    return any("gpu" in generic for name, _, generic in rows if partition or name.strip().endswith("*"))


def _submit(executor: Any, jobs: list[Job]) -> list[Any]:
    from submitit.core.utils import FailedJobError, FailedSubmissionError

    try:
        return list(executor.map_array(ResumableJob(), jobs))
    except (FailedJobError, FailedSubmissionError) as error:
        lines = [line for line in str(error).splitlines() if line.startswith("sbatch:")]
        raise UserError(f"SLURM refuses the jobs: {' '.join(lines) or error}") from error


def _array(handle: Any) -> str:
    return str(handle.job_id).split("_")[0]


def _wait(waiting: dict[Any, Job], running: dict[Any, Job]) -> Iterator[tuple[Job, Outcome]]:
    """Give each job with its outcome as it ends, and take it out of `running`."""
    ended: dict[Any, float] = {}  # when a job without an answer was first seen to have ended
    while running:
        for handle, job in list(running.items()):
            outcome: Outcome | None = None
            if handle.done():
                if handle.paths.result_pickle.exists():
                    outcome = _answer(handle)
                elif time.monotonic() - ended.setdefault(handle, time.monotonic()) > GRACE_SECONDS:
                    outcome = JobDiedError(f"job {handle.job_id} ended without an answer ({handle.state})")
            if outcome is not None:
                del running[handle]
                yield job, outcome
        time.sleep(max(1.0, len(running) / 100))  # a look costs a shared file system something


def _answer(handle: Any) -> Outcome:
    from submitit.core.utils import UncompletedJobError

    try:
        outcome: Outcome = handle.result()
    except UncompletedJobError as error:
        outcome = error
    return outcome
