"""Run cells on this machine: one fresh process each, several at a time.

A process of its own keeps a cell's memory figures clean and the others safe from its crash. The processes come from a
fork server that has already imported the heavy libraries, so that starting one takes tenths of a second.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import connection, forkserver, get_context
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path

from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from bench.cell import Cell
from bench.compose import ELSEWHERE, cell_of
from bench.launchers.worker import Assignment, work
from bench.progress import CellProgress
from bench.records.crash import crash_record
from bench.records.schema import Record
from bench.records.store import folder_of, stamp_of, write_record

LOG = "log.txt"  # what the worker printed, in the cell's folder
STOP_SECONDS = 5  # a worker that does not end within these is killed


@dataclass
class Worker:
    """A running cell: its process, the pipe it reports through, and the GPU it was given."""

    cell: Cell
    process: ForkServerProcess
    pipe: Connection
    slot: int
    record: Record | None = None
    elsewhere: str | None = None  # who else runs the cell


class LocalLauncher(Launcher):
    """Hydra's launcher interface on top of `run_cells`."""

    def __init__(self, workers: int | None) -> None:
        """Create the launcher.

        Args:
            workers: cells at a time; None: one per visible GPU, else one per CPU core.
        """
        self._workers = workers
        self._context: HydraContext | None = None
        self._config: DictConfig | None = None

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Called by Hydra once; the task function is always the running of a cell."""
        self._context, self._config = hydra_context, config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run one cell per list of overrides; every one ends in a record."""
        assert self._context is not None
        assert self._config is not None
        loader, config = self._context.config_loader, self._config
        cells = [cell_of(loader.load_sweep_config(config, list(overrides))) for overrides in job_overrides]
        records = run_cells(cells, self._workers)
        return [
            JobReturn(overrides=overrides, status=JobStatus.COMPLETED, _return_value=_status(record))
            for overrides, record in zip(job_overrides, records, strict=True)
        ]


def _status(record: Record | None) -> str:
    return ELSEWHERE if record is None else record.status.value


def run_cells(cells: Sequence[Cell], workers: int | None) -> list[Record | None]:
    """Run cells, `workers` at a time, and return their records in the same order; None for one that runs elsewhere."""
    gpus = visible_gpus()
    count = min(len(cells), workers or len(gpus) or os.cpu_count() or 1)
    threads = max(1, (os.cpu_count() or 1) // count)
    context = get_context("forkserver")
    # With a GPU, peft stays out: it imports bitsandbytes, which looks for its GPU once, when it is imported.
    context.set_forkserver_preload(["bench.launchers.preload"] if gpus else ["bench.launchers.preload", "peft"])
    pending = list(reversed(cells))
    running: list[Worker] = []
    records: dict[str, Record | None] = {}
    planned = {cell.id: stamp_of(folder_of(cell.config["results_dir"], cell)) for cell in cells}
    with CellProgress(len(cells)) as progress, _preloading_without_gpus():
        try:
            while pending or running:
                free = sorted(set(range(count)) - {worker.slot for worker in running})
                while pending and free:
                    slot = free.pop(0)
                    gpu = gpus[slot % len(gpus)] if gpus else None
                    cell = pending.pop()
                    log = folder_of(cell.config["results_dir"], cell) / LOG
                    running.append(_start(context, Assignment(cell, planned[cell.id], log, gpu, threads), slot))
                _listen(running, progress)
                for worker in [worker for worker in running if not worker.process.is_alive()]:
                    running.remove(worker)
                    records[worker.cell.id] = record = _record_of(worker)
                    if record is not None:
                        progress.finish(worker.cell.id, record)
                    else:
                        progress.say(f"{worker.elsewhere}")
        finally:
            _stop(running)
    return [records[cell.id] for cell in cells]


def visible_gpus() -> list[str]:
    """The GPUs that a worker may be given, as CUDA_VISIBLE_DEVICES names them; found without starting CUDA."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return [name for name in chosen.split(",") if name.strip() not in ("", "-1")]
    return [str(index) for index, _ in enumerate(sorted(Path("/proc/driver/nvidia/gpus").glob("*")))]


@contextmanager
def _preloading_without_gpus() -> Iterator[None]:
    """Within the block, let the fork server see no GPU: a process that started CUDA cannot be forked."""
    hidden = {"CUDA_VISIBLE_DEVICES": "", "PYTORCH_NVML_BASED_CUDA_CHECK": "1"}
    before = {key: os.environ.get(key) for key in hidden}
    os.environ.update(hidden)
    try:
        forkserver.ensure_running()
    finally:
        for key, value in before.items():
            if value is None:
                del os.environ[key]
            else:
                os.environ[key] = value
    yield


def _start(context: ForkServerContext, given: Assignment, slot: int) -> Worker:
    """Start a fresh process for a cell."""
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=work, args=(given, theirs), name=given.cell.id, daemon=True)
    process.start()
    theirs.close()
    return Worker(given.cell, process, ours, slot)


def _listen(running: list[Worker], progress: CellProgress) -> None:
    """Wait until a worker says something or ends, and take note of it."""
    pipes = {worker.pipe: worker for worker in running if not worker.pipe.closed}
    ready = connection.wait([*pipes, *(worker.process.sentinel for worker in running)])
    for pipe, worker in pipes.items():
        if pipe not in ready:
            continue
        try:
            message = pipe.recv()
        except EOFError:
            pipe.close()
            worker.process.join()
            continue
        if isinstance(message, Record):
            worker.record = message
        elif isinstance(message, str):
            worker.elsewhere = message
        else:
            progress.update(worker.cell.id, *message)


def _record_of(worker: Worker) -> Record | None:
    """The record that a worker has written, or one that tells of its crash; None if the cell runs elsewhere."""
    worker.pipe.close()
    if worker.record is not None or worker.elsewhere is not None:
        return worker.record
    record = crash_record(worker.cell, worker.process.exitcode)
    write_record(record, folder_of(worker.cell.config["results_dir"], worker.cell))
    return record


def _stop(running: list[Worker]) -> None:
    """End what still runs: politely, then not."""
    for worker in running:
        worker.process.terminate()
    for worker in running:
        worker.process.join(STOP_SECONDS)
        if worker.process.is_alive():
            worker.process.kill()
            worker.process.join()
