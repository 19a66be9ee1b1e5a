"""Symbolic links in folders that others may write to: they lead nobody's writing and deleting elsewhere."""

import os
from pathlib import Path


def stays_inside(path: str | Path, folder: str | Path) -> bool:
    """Whether `path` is below `folder` when all links are followed; it need not be there."""
    try:
        return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))
    except OSError:
        return False


def link_in(folder: Path) -> Path | None:
    """A link among what lies directly in a folder; None where there is none.

    Raises:
        OSError: the folder cannot be read.
    """
    with os.scandir(folder) as entries:
        return next((Path(entry.path) for entry in entries if entry.is_symlink()), None)


def own_file(path: Path) -> Path:
    """The path, where no link is left that would lead writing to it elsewhere; what a link led to stays as it is."""
    if path.is_symlink():
        path.unlink()
    return path
