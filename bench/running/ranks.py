"""Run one cell on several processes of this machine, through torchrun, and make one record of theirs."""

import json
import os
import select
import subprocess
import sys
import tempfile
from collections.abc import Sequence
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

LOG = "ranks.txt"  # what the processes printed, in the cell's folder
JOB, PROGRESS, REFUSED = "job.json", "progress", "refused.txt"  # between them and this one
STOP_SECONDS = 4.0

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
                sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}",
                "-m", "bench.running.rank", scratch,
            ]  # fmt: skip
            environment = os.environ | {"PYTHONPATH": os.pathsep.join(path or "." for path in sys.path)}
            process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            try:
                _listen(process, place / PROGRESS, report)
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


def _listen(process: subprocess.Popen[bytes], path: Path, report: Report) -> None:
    """Hand on what the first process says of its progress, until all have ended."""
    # Opened for writing too, so that opening does not wait for a process that may never come.
    pipe, end = os.open(path, os.O_RDWR | os.O_NONBLOCK), os.pidfd_open(process.pid)
    try:
        text = b""
        while True:
            ready, _, _ = select.select([pipe, end], [], [])
            if pipe in ready:
                *lines, text = (text + os.read(pipe, 1 << 16)).split(b"\n")
                for line in lines:
                    report(*json.loads(line))
            elif end in ready:
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
