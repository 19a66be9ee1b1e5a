"""Git LFS: what lies in a clone in place of a large file until it is fetched."""

from pathlib import Path

POINTER = b"version https://git-lfs.github.com/spec/"
LONGEST = 1024  # bytes; the specification ends pointers below it


def is_pointer(file: Path) -> bool:
    """Whether `file` is the few lines of text that stand for a large file, and not that file."""
    if file.stat().st_size >= LONGEST:
        return False
    with file.open("rb") as opened:
        return opened.read(len(POINTER)) == POINTER
