"""A cell's log: what the process that ran it printed, attempt after attempt."""

import os
import sys
from pathlib import Path

LOG = "log.txt"  # in the cell's folder


def print_to(log: Path) -> None:
    """From now on, add whatever this process prints, libraries in C included, to the file `log`."""
    log.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for number, stream in ((1, sys.stdout), (2, sys.stderr)):
        stream.flush()
        os.dup2(handle, number)
    os.close(handle)
