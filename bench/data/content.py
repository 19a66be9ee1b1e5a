"""The bytes of a data file: read on one road, and told apart from what is often found in a data file's place."""

import errno
import hashlib
import stat
from pathlib import Path

from bench.errors import UserError
from bench.identity.digests import whole
from bench.system import git_lfs

# How files begin that are something else than the rows that their names promise.
IMPOSTORS = {
    git_lfs.POINTER: "is a Git LFS pointer and not the data; `git lfs pull` fetches them",
    b"\x1f\x8b": "is compressed by gzip; unpack it",
    b"PK\x03\x04": "is a zip archive; unpack it",
    b"\x28\xb5\x2f\xfd": "is compressed by zstd; unpack it",
    b"\xfd7zXZ": "is compressed by xz; unpack it",
    b"BZh": "is compressed by bzip2; unpack it",
    b"ARROW1": "is an Arrow file; parquet and JSON lines are read",
    b"\xff\xfe": "is UTF-16; save it as UTF-8",
    b"\xfe\xff": "is UTF-16; save it as UTF-8",
    b"<!DOCTYPE": "is a web page and not the data",
    b"<!doctype": "is a web page and not the data",
    b"<html": "is a web page and not the data",
}
PARQUET = b"PAR1"


def digest_of(file: Path) -> bytes:
    """SHA-256 of a file's bytes; times and sizes say nothing of a file that was changed in place.

    Raises:
        UserError: it cannot be read.
    """
    try:
        _check_is_file(file)
        return bytes.fromhex(whole(file))
    except OSError as error:
        raise _unreadable(file, error) from error


def content_of(file: Path, digest: bytes) -> bytes:
    """A file's bytes, if they are still those of `digest`.

    Raises:
        UserError: it cannot be read, was changed since, is empty, or is no parquet, JSON lines or TSV file at all.
    """
    try:
        _check_is_file(file)
        content = file.read_bytes()
    except OSError as error:
        raise _unreadable(file, error) from error
    if hashlib.sha256(content).digest() != digest:
        raise UserError(f"{file} is being changed while it is read; start again once it is complete")
    if not content:
        raise UserError(f"{file} is empty: there are no rows")
    for beginning, what in IMPOSTORS.items():
        if content.startswith(beginning):
            raise UserError(f"{file} {what}")
    _check_kind(file, content)
    return content


def _check_kind(file: Path, content: bytes) -> None:
    is_parquet = content.startswith(PARQUET)
    if file.suffix != ".parquet":
        if is_parquet:
            raise UserError(f"{file} is a parquet file; its name has to end in .parquet")
    elif not is_parquet:
        raise UserError(f"{file} is not a parquet file")
    elif len(content) < 12 or not content.endswith(PARQUET):
        raise UserError(f"{file} is cut off: it does not end as a parquet file does; copy it again")


def _check_is_file(file: Path) -> None:
    """Refuse folders, and pipes and devices, which would be waited for."""
    mode = file.stat().st_mode
    if not stat.S_ISREG(mode):
        raise UserError(f"{file} is {'a folder' if stat.S_ISDIR(mode) else 'a pipe or a device'}, not a file of rows")


def _unreadable(file: Path, error: OSError) -> UserError:
    if error.errno == errno.ENOENT and file.is_symlink():
        return UserError(f"{file} is a symbolic link to {file.readlink()}, which is not there")
    return UserError(f"cannot read {file}: {error.strerror or error}")
