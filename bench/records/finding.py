"""Where the records of an experiment are: a big sweep leaves 100,000 of them."""

import itertools
import os
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from bench.errors import UserError
from bench.records.store import FILE, experiment_folder
from bench.system.plain_files import why
from bench.system.terminal import warn

Answer = TypeVar("Answer")
Identity = tuple[int, int, int, int]

THREADS = 8  # that wait for files
SAMPLE = 20  # files whose time decides whether threads are needed
SLOW = 5e-5  # seconds a file


@dataclass(frozen=True, slots=True)
class Found:
    """A file of a record.

    Attributes:
        path: where it is.
        identity: inode, size, and the times in nanoseconds at which its content and whatever else the system knows of
            it were changed. The last one is nobody's to set: a file that keeps all four is the file it was.
    """

    path: str
    identity: Identity


def find_records(results_dir: str | Path, experiment: str = "") -> list[str]:
    """Paths of all records below `results_dir`/`experiment`, at any depth, sorted; a folder that is no folder is told.

    Raises:
        UserError: the results folder cannot be read.
    """
    return [found.path for found in find(experiment_folder(results_dir, experiment))]


def find(top: Path) -> list[Found]:
    """All records below `top`, at any depth, sorted by their paths; raises as `find_records` does."""
    if not top.is_dir():
        return []
    with ThreadPoolExecutor(THREADS) as pool:
        return sorted(_record_files(str(top), pool), key=lambda found: found.path)


def _record_files(top: str, pool: Executor) -> Iterator[Found]:
    folders = [top]
    while folders:
        folder = folders.pop()
        try:
            below = _folders_in(folder)
        except OSError as error:
            if folder == top:
                raise UserError(f"cannot read the results folder {folder}: {why(error)}") from error
            warn(f"{folder}: {why(error)}; what is in it is left out")
            continue
        records = [f"{path}/{FILE}" for path in below]
        for path, record, identity in zip(below, records, shared(pool, identity_at, records), strict=True):
            if identity is not None:
                yield Found(record, identity)  # a cell's folder holds no other cells
            else:
                folders.append(path)


def identity_at(path: str) -> Identity | None:
    """What tells the file at `path` from any other; None: there is nothing."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return identity_of(status)


def identity_of(status: os.stat_result) -> Identity:
    """What tells a file from any other that is or was there; of what is no file, nothing does."""
    if not stat.S_ISREG(status.st_mode):
        return 0, 0, 0, 0
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _folders_in(folder: str) -> list[str]:
    with os.scandir(folder) as entries:
        return [entry.path for entry in entries if not entry.name.startswith(".") and is_folder(entry)]


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether there is something to look for: no link that leads back up, nor one that leads nowhere."""
    if not entry.is_symlink():
        return entry.is_dir()
    real = os.path.realpath(entry.path)
    above = f"{os.path.realpath(os.path.dirname(entry.path))}{os.sep}"
    return os.path.isdir(real) and not above.startswith(f"{real}{os.sep}")


def shared(pool: Executor, ask: Callable[[str], Answer], paths: Sequence[str]) -> Iterator[Answer]:
    """`ask(path)` of each, in order.

    By several threads where the first answers are slow: a disk or a file server that has many requests answers more of
    them. What is in memory already comes faster without.
    """
    begin = time.perf_counter()
    yield from [ask(path) for path in paths[:SAMPLE]]
    rest = paths[SAMPLE:]
    if time.perf_counter() - begin < SLOW * SAMPLE:
        yield from map(ask, rest)
        return
    size = -(-len(rest) // THREADS) or 1
    shares = [rest[start : start + size] for start in range(0, len(rest), size)]
    yield from itertools.chain.from_iterable(pool.map(lambda share: [ask(path) for path in share], shares))
