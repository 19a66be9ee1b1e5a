"""Worker processes on this machine: started from a fork server, listened to, ended with all that they started."""

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing import connection, forkserver, get_context
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from typing import TypeAlias

from bench.configuration.cell import Cell
from bench.records.schema import Record
from bench.sweeping.launchers.worker import WHERE, Assignment, work
from bench.system.gpus import without_gpus
from bench.system.main_module import without_main
from bench.system.processors import processors

STOP_SECONDS = 3.0  # what does not end within these is killed
ANSWER_SECONDS = 10.0  # a busy machine may need these to write down where a worker is

Progress: TypeAlias = tuple[str, int, int, float | None]  # phase, step, steps in all, loss


@dataclass
class Worker:
    """A running cell.

    Attributes:
        cell: what it runs.
        process: its process, the head of a process group.
        pipe: it reports through this.
        slot: its place in the pool, which decides its GPU.
        log: what it prints goes there.
        started: by the monotonic clock.
        answer: what it said at last: the record, or a line on who else runs the cell.
    """

    cell: Cell
    process: ForkServerProcess
    pipe: Connection
    slot: int
    log: Path
    started: float = field(default_factory=time.monotonic)
    answer: Record | str | None = None

    def hear(self) -> Iterator[Progress]:
        """What it has said since, as far as it is progress."""
        try:
            while self.pipe.poll():
                message = self.pipe.recv()
                if isinstance(message, bytes):
                    self.answer = Record.from_dict(json.loads(message))
                elif isinstance(message, str):
                    self.answer = message
                else:
                    yield message
        except (EOFError, OSError):  # OSError: the process died in the middle of a message
            self.pipe.close()

    @property
    def seconds(self) -> float:
        """How long it has been running."""
        return time.monotonic() - self.started


class Pool:
    """Up to `size` workers at a time."""

    def __init__(self, size: int, gpus: list[str]) -> None:
        self._size, self._gpus = size, gpus
        self._threads = max(1, processors() // size)
        self._context = _context(gpus)
        self.running: list[Worker] = []

    @property
    def is_full(self) -> bool:
        """Whether every slot is taken."""
        return len(self.running) >= self._size

    def start(self, cell: Cell, planned: str, log: Path) -> None:
        """Start a fresh process for a cell; see `Assignment`."""
        slot = min(set(range(self._size)) - {worker.slot for worker in self.running})
        gpu = self._gpus[slot % len(self._gpus)] if self._gpus else None
        places = max(1, len(self._gpus))
        sharing = len(range(slot % places, self._size, places))
        given = Assignment(cell, planned, log, gpu, self._threads, sharing)
        ours, theirs = self._context.Pipe(duplex=False)
        process = self._context.Process(target=work, args=(given, theirs), name=cell.id)
        with without_main(), without_gpus():  # another fork server is started if this one was killed
            process.start()
        theirs.close()
        self.running.append(Worker(cell, process, ours, slot, log))

    def wait(self, seconds: float | None) -> None:
        """Wait until a worker says something or ends, or until the time is up."""
        pipes = [worker.pipe for worker in self.running if not worker.pipe.closed]
        connection.wait([*pipes, *(worker.process.sentinel for worker in self.running)], seconds)

    def take_ended(self) -> list[Worker]:
        """Take the workers that have ended out of the pool."""
        ended = [worker for worker in self.running if not worker.process.is_alive()]
        for worker in ended:
            self.running.remove(worker)
            for _ in worker.hear():  # its last words
                pass
            worker.pipe.close()
            _signal(worker, signal.SIGKILL)  # whatever it has left behind
        return ended

    def ask_where(self, workers: list[Worker]) -> None:
        """Let workers write into their logs which line of code they are at."""
        for worker in workers:
            assert worker.process.pid is not None
            if worker.process.is_alive():
                before = size = _size(worker.log)
                os.kill(worker.process.pid, WHERE)
                until = time.monotonic() + ANSWER_SECONDS
                # The next signal would cut it short: wait until it has begun, and has nothing more to say.
                while worker.process.is_alive() and time.monotonic() < until:
                    time.sleep(0.1)
                    if before < size == _size(worker.log):
                        break
                    size = _size(worker.log)

    def stop(self, workers: list[Worker]) -> None:
        """End workers and all that they have started: politely, then not. They stay in the pool, ended."""
        for worker in workers:
            _signal(worker, signal.SIGTERM)
        until = time.monotonic() + STOP_SECONDS
        for worker in workers:
            worker.process.join(max(0.0, until - time.monotonic()))
        for worker in workers:
            _signal(worker, signal.SIGKILL)
            worker.process.kill()  # it may have no group of its own yet
            worker.process.join()


def start_fork_server(gpus: list[str]) -> None:
    """Let the fork server begin with its imports, which take seconds; nothing where it has begun already.

    Args:
        gpus: those that workers will be given.
    """
    _context(gpus)
    with without_main(), without_gpus():
        forkserver.ensure_running()


def _context(gpus: list[str]) -> ForkServerContext:
    # With a GPU, peft stays out: it imports bitsandbytes, which looks for its GPU once, when it is imported.
    others = [] if gpus else ["peft"]
    launchers = "bench.sweeping.launchers"
    context = get_context("forkserver")
    context.set_forkserver_preload([f"{launchers}.preload", *others, f"{launchers}.frozen"])
    return context


def _size(log: Path) -> int:
    return log.stat().st_size if log.exists() else 0


def _signal(worker: Worker, number: signal.Signals) -> None:
    """Send a signal to a worker's whole group."""
    assert worker.process.pid is not None
    with suppress(ProcessLookupError, PermissionError):  # all have ended; on macOS, some are zombies
        os.killpg(worker.process.pid, number)
