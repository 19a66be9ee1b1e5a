"""Places on a GPU: how many cells may be on it at a time, over all sweeps of a user on this machine.

Two sweeps know nothing of each other, and each believes its GPU its own; the times and the memory of both would be
wrong, and nobody would know. So each cell takes a place by the GPU's UUID before it measures anything, and waits for
one where the cells that are there want no more company. Places are file locks: who dies gives its own back.
"""

import os
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from bench.errors import UserError

MOST = 64  # cells on one GPU
LOOK_SECONDS = 1.0


@contextmanager
def place_on(uuid: str, company: int, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Within the block, this process has a place on a GPU.

    Args:
        uuid: the GPU's, or that of a slice of it (MIG).
        company: how many cells may be on it at a time, this one included; the most careful of them decides.
        waiting: called once if there is no place yet.

    Raises:
        UserError: the folder of the locks is somebody else's.
    """
    folder, told = _folder(), False
    while (lock := _taken(folder, uuid, company)) is None:
        if not told:
            waiting()
            told = True
        time.sleep(LOOK_SECONDS)
    try:
        yield
    finally:
        lock.release()


def _taken(folder: Path, uuid: str, company: int) -> FileLock | None:
    """A place, if there is one now."""
    with FileLock(folder / f"{uuid}.lock"):
        free, wishes = None, []
        for number in range(MOST):
            wish, lock = folder / f"{uuid}.{number}.company", FileLock(folder / f"{uuid}.{number}.lock")
            try:
                lock.acquire(timeout=0)
            except Timeout:
                wishes.append(int(wish.read_text()))
                continue
            if free is None:
                free, mine = lock, wish
            else:
                lock.release()
        if free is None:
            return None
        if len(wishes) >= min([company, *wishes]):
            free.release()
            return None
        mine.write_text(str(company))
        return free


def _folder() -> Path:
    """One for each user, whom alone it must belong to: others could hold every GPU, or lead the locks elsewhere."""
    folder = Path(tempfile.gettempdir()) / f"bench-gpus-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
        raise UserError(f"{folder} is not a folder of this user's own; the places on GPUs are kept there")
    return folder
