"""Run one cell on several processes of this machine, through torchrun, and make one record of theirs."""

import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TypeVar

from bench.configuration.cell import Cell
from bench.configuration.compose import build
from bench.distributed.spread import check_sharding
from bench.errors import UnsupportedError, UserError
from bench.methods.base import Method
from bench.records.crash import died_record, refused_record
from bench.records.schema import Memory, MemorySplit, PhaseMemory, Record, Status
from bench.running.run import Report
from bench.training.checkpoint import saved_steps
from bench.training.interruption import WARNING, Interruption

LOG = "ranks.txt"  # what the processes printed, in the cell's folder
JOB, PROGRESS, REFUSED, FIRST = "job.json", "progress", "refused.txt", "first.pid"  # between them and this one
STOP_SECONDS = 4.0
SAVING_SECONDS = 90.0  # that a checkpoint may take which is wanted before the end; SLURM warns two minutes ahead
LOOK_SECONDS = 0.2

T = TypeVar("T")


def attempt_on_ranks(cell: Cell, folder: Path, report: Report, shrunk: Sequence[dict[str, int]] = ()) -> Record:
    """As `bench.running.runner.attempt`, by `processes=` processes.

    Raises:
        UserError: a mistake in the configuration or data, found before any training.
    """
    try:
        check_sharding(cell, build(cell.config["method"], Method))
    except UnsupportedError as error:
        return refused_record(cell, error)
    count = cell.config["processes"]
    with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
        place = Path(scratch)
        job = {"config": cell.config, "folder": str(folder.resolve()), "shrunk": list(shrunk), "parent": os.getpid()}
        job["origins"] = None if cell.origins is None else asdict(cell.origins)
        (place / JOB).write_text(json.dumps(job))
        os.mkfifo(place / PROGRESS)
        with (folder / LOG).open("ab") as log:
            command = [
                sys.executable, "-m", "bench.running.agent", "--standalone", f"--nproc-per-node={count}",
                "-m", "bench.running.rank", scratch,
            ]  # fmt: skip
            environment = os.environ | {"PYTHONPATH": os.pathsep.join(path or "." for path in sys.path)}
            interruption = Interruption()
            with interruption.put_off():
                process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
                try:
                    farewell = _Farewell(interruption, place / FIRST, folder, report)
                    _listen(process, place / PROGRESS, farewell.report, farewell.is_over)
                finally:
                    _stop(process)
        if (place / REFUSED).exists():
            raise UserError((place / REFUSED).read_text())
        files = [place / f"rank-{rank}.json" for rank in range(count)]
        records = [Record.from_dict(json.loads(file.read_text())) for file in files if file.exists()]
    return joined(cell, records, f"one of {count} processes died without a record; what it printed is in {LOG}")


def joined(cell: Cell, records: list[Record], died: str) -> Record:
    """One record of those of each process.

    Args:
        cell: what was run.
        records: in the order of ranks; those of processes that died are missing.
        died: the message where that is so.
    """
    bad = [record for record in records if record.status != Status.done]
    # When one process fails, the others fail for want of it; the first to end says why, and lack of memory before all.
    bad.sort(key=lambda record: (record.status != Status.out_of_memory, record.environment["end"]))
    if len(records) < cell.config["processes"] and not bad:
        return died_record(cell, died)
    first = bad[0] if bad else records[0]
    memories = [record.memory for record in records if record.memory is not None]
    speeds = [record.time.tokens_per_second or 0.0 for record in records]
    time = replace(first.time, tokens_per_second=sum(speeds) or None)
    return replace(first, memory=_sum_of_memory(memories), time=time)


def _sum_of_memory(memories: list[Memory]) -> Memory | None:
    if not memories:
        return None
    names = [name for name in memories[0].phases if all(name in memory.phases for memory in memories)]
    splits = [memory.train_peak_split for memory in memories if memory.train_peak_split is not None]
    return replace(
        memories[0],
        phases={name: _sum(PhaseMemory, [memory.phases[name] for memory in memories]) for name in names},
        train_peak_split=_sum(MemorySplit, splits) if len(splits) == len(memories) else None,
        ranks=[memory.phases for memory in memories],
    )


def _sum(kind: type[T], items: Sequence[Any]) -> T:
    """Field by field; what one of them has not measured is not known of all."""
    columns: dict[str, list[Any]] = {key: [getattr(item, key) for item in items] for key in asdict(items[0])}
    return kind(**{key: None if None in values else sum(values) for key, values in columns.items()})


class _Farewell:
    """Has the first process write a checkpoint when this one is told to end, which waits for that."""

    def __init__(self, interruption: Interruption, first: Path, folder: Path, report: Report) -> None:
        self._interruption, self._first, self._folder, self._report = interruption, first, folder, report
        self._is_training = False
        self._asked: float | None = None
        self._known: list[int] = []

    def report(self, phase: str, step: int, total: int, loss: float | None) -> None:
        """Hand on what the first process says of its progress."""
        self._is_training = phase == "train" and step < total
        self._report(phase, step, total, loss)

    def is_over(self) -> bool:
        """Whether this process has been told to end, and there is nothing more to wait for."""
        if not self._interruption.is_waiting:
            return False
        if self._asked is None:
            self._asked, self._known = time.monotonic(), saved_steps(self._folder)
            if not self._is_training:
                return True
            try:
                os.kill(int(self._first.read_text()), WARNING)
            except (OSError, ValueError):  # it is not there yet, or any more
                return True
        return saved_steps(self._folder) != self._known or time.monotonic() - self._asked > SAVING_SECONDS


def _listen(process: subprocess.Popen[bytes], path: Path, report: Report, is_over: Callable[[], bool]) -> None:
    """Hand on what the first process says of its progress, until all have ended or `is_over`."""
    # Opened for writing too, so that opening does not wait for a process that may never come.
    pipe, end = os.open(path, os.O_RDWR | os.O_NONBLOCK), os.pidfd_open(process.pid)
    try:
        text = b""
        while True:
            ready, _, _ = select.select([pipe, end], [], [], LOOK_SECONDS)
            if pipe in ready:
                *lines, text = (text + os.read(pipe, 1 << 16)).split(b"\n")
                for line in lines:
                    report(*json.loads(line))
            elif end in ready:
                return
            if is_over():
                return
    finally:
        os.close(pipe)
        os.close(end)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End what still runs: politely, then not; its own processes end when this one sees them alone."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
    process.wait()
