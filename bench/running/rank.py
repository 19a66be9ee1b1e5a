"""The inside of one of several processes that run a cell together; started by `bench.running.ranks`."""

import json
import os
import select
import sys
import threading
from pathlib import Path

from bench.configuration.cell import Cell
from bench.configuration.origins import Origins
from bench.errors import UserError
from bench.records.schema import Record, Status
from bench.records.store import write_atomically
from bench.running.ranks import FIRST, JOB, PROGRESS, REFUSED
from bench.running.run import Report, silent
from bench.running.runner import attempt


def main(place: Path) -> int:
    """Run this process's part of the cell that `place` describes.

    Returns:
        0: the record is written, or the cell was refused, by all processes alike; 1: the others had better be ended.
    """
    job = json.loads((place / JOB).read_text())
    if os.environ["RANK"] == "0":
        write_atomically(place / FIRST, str(os.getpid()).encode())
    threading.Thread(target=_end_with, args=(os.pidfd_open(job["parent"]),), daemon=True).start()
    origins = None if job["origins"] is None else Origins(**job["origins"])
    cell, rank = Cell.from_config(job["config"], origins), int(os.environ["RANK"])
    try:
        record = attempt(cell, Path(job["folder"]), _reporting(place) if rank == 0 else silent, job["shrunk"])
    except UserError as error:
        write_atomically(place / REFUSED, str(error).encode())
        return 0
    write_result(record, place / f"rank-{rank}.json")
    return 0 if record.status in (Status.done, Status.unsupported) else 1


def write_result(record: Record, path: Path) -> None:
    """Leave this process's record for the one that joins them."""
    write_atomically(path, json.dumps(record.to_dict()).encode())


def _reporting(place: Path) -> Report:
    pipe = os.open(place / PROGRESS, os.O_WRONLY)

    def report(phase: str, step: int, total: int, loss: float | None) -> None:
        os.write(pipe, json.dumps([phase, step, total, loss]).encode() + b"\n")

    return report


def _end_with(parent: int) -> None:
    """End this process when the one that wanted the cell is gone, killed perhaps."""
    select.select([parent], [], [])
    os._exit(1)


if __name__ == "__main__":
    code = main(Path(sys.argv[1]))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # at once: the libraries' own ends wait for processes that may be gone
