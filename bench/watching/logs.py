"""The end of a cell's log."""

import os
import re
import stat
from pathlib import Path

from bench.sweeping.launchers.log import LOG
from bench.system.links import stays_inside

BYTES = 8000
COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")  # and other orders to a terminal


def log_end(folder: Path, results_dir: Path) -> str | None:
    """The last lines that the cell's process printed; None: there is no log in the folder itself."""
    if not stays_inside(folder, results_dir):
        return None
    try:
        handle = os.open(folder / LOG, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    with open(handle, "rb") as file:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            return None
        file.seek(max(0, status.st_size - BYTES))
        text = file.read().decode(errors="replace")
    lines = COLOURS.sub("", text).replace("\r\n", "\n").split("\n")
    # Of a line that a progress bar has written over itself, the last state.
    shown = [line.rstrip("\r").rpartition("\r")[2] for line in (lines[1:] if status.st_size > BYTES else lines)]
    return "".join(c for c in "\n".join(shown) if c.isprintable() or c in "\n\t")
