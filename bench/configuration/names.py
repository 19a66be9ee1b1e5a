"""Names that become paths, and paths that a user gives: they lead where they say, and nowhere else."""

import os

from bench.errors import UserError
from bench.system.terminal import printable

LONGEST = 200  # bytes of a name: a file system takes 255, and files are called after names and more
LONGEST_PATH = 4000  # bytes; Linux takes 4095


def check_name(kind: str, name: object) -> str:
    """The name of an experiment, a model, a task, a method or a table: words with slashes between them.

    Raises:
        UserError: empty, too long, or a part of it is no plain name for a folder.
    """
    if not isinstance(name, str) or not name.strip():
        raise UserError(f"{kind}={name}: a name is needed")
    if len(name.encode(errors="replace")) > LONGEST:
        raise UserError(f"{kind}={name[:40]}…: a name has {LONGEST} bytes at most")
    for part in name.split("/"):
        if not part.strip() or part != part.strip() or part.startswith((".", "-", "~")) or "\\" in part:
            raise UserError(
                f"{kind}={name}: names become folders; none between slashes may be empty, begin with a dot, a dash or "
                "a tilde, begin or end with a space, or hold a backslash"
            )
    if printable(name) != name or "\n" in name or "\t" in name:
        raise UserError(f"{kind}={name}: a name holds no control characters")
    return name


def check_path(key: str, value: object) -> str:
    """The path of a file or folder, which need not be there.

    Raises:
        UserError: empty, as a variable that is not set leaves it, or what no file system takes.
    """
    if not isinstance(value, str) or not value.strip():
        raise UserError(f"{key}= is empty: name a folder, or leave {key} out")
    if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise UserError(f"{key}={value}: a path holds no such characters")
    if len(value.encode()) > LONGEST_PATH or any(len(part.encode()) > 255 for part in value.split(os.sep)):
        raise UserError(f"{key}={value[:40]}…: the path is too long")
    return value
