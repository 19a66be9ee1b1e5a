"""The inside of a worker process: run one cell, report to the parent, and never outlive it."""

import faulthandler
import os
import signal
import sys
import threading
from dataclasses import dataclass
from multiprocessing import connection, parent_process
from multiprocessing.connection import Connection
from pathlib import Path

from bench.configuration.cell import Cell
from bench.metering.sharing import share
from bench.sweeping.launchers.log import print_to
from bench.system.gpus import VISIBLE
from bench.system.terminal import say

WHERE = signal.SIGUSR1  # asks a worker to write into its log where it is


@dataclass(frozen=True)
class Assignment:
    """What a worker is given.

    Attributes:
        cell: what to run.
        planned: `stamp_of` the cell's folder when it was decided to run it.
        log: a file for whatever is printed.
        gpu: the device to use, as CUDA_VISIBLE_DEVICES names it; None: no GPU, whatever the machine has.
        threads: CPU threads.
        sharing: how many cells run on this GPU at a time, or on this machine where there is none.
    """

    cell: Cell
    planned: str
    log: Path
    gpu: str | None
    threads: int
    sharing: int = 1


def work(given: Assignment, pipe: Connection) -> None:
    """Run a cell, and tell the parent through `pipe`.

    What is sent: progress as (phase, step, steps in all, loss), and at last the record as `text_of` writes it, or a
    line on who else runs the cell. A record's own objects would make the parent import the libraries they come from.
    """
    os.setpgid(0, 0)  # a group of its own: Ctrl-C is the parent's affair, and processes of this one end with it
    threading.Thread(target=_end_with_parent, daemon=True).start()
    print_to(given.log, given.cell.config["results_dir"])
    faulthandler.enable()  # a crash leaves the line of code in the log
    faulthandler.register(WHERE)
    os.environ[VISIBLE] = given.gpu or ""  # a sweep that was given none uses none
    share(given.sharing)

    import torch

    from bench.records.claims import ClaimedError
    from bench.records.store import text_of
    from bench.running.attempt import run_in_sweep

    torch.set_num_threads(given.threads)
    try:
        record = run_in_sweep(given.cell, lambda *progress: pipe.send(progress), planned=given.planned)
    except ClaimedError as error:
        pipe.send(str(error))
        return
    if record.error is not None:
        say(f"{record.error.traceback}{record.error.type}: {record.error.message}", sys.stderr)
    pipe.send(text_of(record))


def _end_with_parent() -> None:
    """End this process and its own when the sweep is gone, killed perhaps: nobody would collect its work."""
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os.killpg(0, signal.SIGKILL)
