"""Reading files of which nobody knows who put them there."""

import os
import stat
from errno import EINVAL
from pathlib import Path

WITHOUT_WAITING = getattr(os, "O_NONBLOCK", 0)  # else opening a pipe that nobody writes to would never end


def read_file(path: str | Path) -> bytes:
    """What the file at `path` holds.

    Raises:
        OSError: it cannot be read, or is something else than a file: a folder, a pipe, a device.
    """
    handle = os.open(path, os.O_RDONLY | WITHOUT_WAITING)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(EINVAL, "not a file", str(path))
    with open(handle, "rb") as file:
        return file.read()


def why(error: OSError) -> str:
    """An error of the operating system's in words, without the file's name."""
    return error.strerror or str(error) or type(error).__name__
