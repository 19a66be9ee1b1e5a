"""A cell's log: what the process that ran it printed, attempt after attempt."""

import os
import sys
from pathlib import Path

from bench.system.links import stays_inside

LOG = "log.txt"  # in the cell's folder


def print_to(log: Path, results_dir: str) -> None:
    """From now on, add whatever this process prints, libraries in C included, to the file `log`.

    What a link leads to, out of the results folder perhaps, is no log, nor is a pipe: then it is printed nowhere.
    """
    try:
        if not stays_inside(log.parent, results_dir):
            raise OSError
        log.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        handle = os.open(os.devnull, os.O_WRONLY)
    for number, stream in ((1, sys.stdout), (2, sys.stderr)):
        stream.flush()
        os.dup2(handle, number)
    os.close(handle)
