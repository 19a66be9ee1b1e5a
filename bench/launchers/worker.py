"""The inside of a worker process: run one cell, report to the parent, and never outlive it."""

import os
import sys
import threading
from dataclasses import dataclass
from multiprocessing import connection, parent_process
from multiprocessing.connection import Connection
from pathlib import Path

from bench.cell import Cell


@dataclass(frozen=True)
class Assignment:
    """What a worker is given.

    Attributes:
        cell: what to run.
        planned: `stamp_of` the cell's folder when it was decided to run it.
        log: a file for whatever is printed.
        gpu: the device to use, as CUDA_VISIBLE_DEVICES names it; None: no GPU.
        threads: CPU threads.
    """

    cell: Cell
    planned: str
    log: Path
    gpu: str | None
    threads: int


def work(given: Assignment, pipe: Connection) -> None:
    """Run a cell, and tell the parent through `pipe`.

    What is sent: progress as (phase, step, steps in all, loss), and at last the record, or a line on who else runs it.
    """
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _print_to(given.log)
    if given.gpu is None:
        os.environ.pop("CUDA_VISIBLE_DEVICES", None)
    else:
        os.environ["CUDA_VISIBLE_DEVICES"] = given.gpu

    import torch

    from bench.attempt import run_in_sweep
    from bench.records.claims import ClaimedError

    torch.set_num_threads(given.threads)
    try:
        pipe.send(run_in_sweep(given.cell, lambda *progress: pipe.send(progress), planned=given.planned))
    except ClaimedError as error:
        pipe.send(str(error))


def _end_with_parent() -> None:
    """End this process when the sweep is gone, killed perhaps: nobody would collect its work, or stop it."""
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


def _print_to(log: Path) -> None:
    log.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
        os.dup2(handle, stream.fileno())
    os.close(handle)
