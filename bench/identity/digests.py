"""Digests of files: of all their bytes, or of samples where there are gigabytes of them; and of texts.

A file is read once a process, as long as it stays as it is: size, times of change and inode are looked at every time.
"""

import hashlib
import json
import os
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

WHOLE = 32 << 20  # files up to this many bytes are read whole
SMALL = 64 << 10  # likewise tensors of larger files
BLOCK, BLOCKS = 4096, 8  # of a larger tensor: so many blocks of so many bytes, evenly spread, both ends included
FILE_BLOCKS = 512  # of a large file that is none of tensors

Stamp = tuple[int, ...]


def digest_of(*parts: str | bytes) -> str:
    """SHA-256 of several texts, 32 hexadecimal digits; where one ends and the next begins counts too."""
    digest = hashlib.sha256()
    for part in parts:
        content = part.encode(errors="surrogatepass") if isinstance(part, str) else part
        digest.update(len(content).to_bytes(8, "little") + content)
    return digest.hexdigest()[:32]


def row_key(texts: Iterable[str], seed: int = 0) -> bytes:
    """Of the texts of a row, 16 bytes: the same for the same texts, and in an order that the seed decides."""
    joined = "\0".join(texts).encode(errors="surrogatepass")
    return hashlib.blake2b(joined, digest_size=16, salt=str(seed).encode()[:16]).digest()


def whole(file: Path) -> str:
    """Of all bytes of a file, 64 hexadecimal digits.

    Raises:
        OSError: it cannot be read.
    """
    return _whole(str(file), _stamp(file))


def tensors(file: Path) -> dict[str, str]:
    """A digest of each tensor in a safetensors file, by name: of its type, its shape and its values.

    Files of up to 32 MiB are read whole. Of larger ones, a tensor of more than 64 KiB is sampled: eight blocks of
    4 KiB, evenly spread. Training or merging changes most values of a tensor; a change of a few rows can be missed.
    What is no safetensors file counts as one tensor without a name.

    Raises:
        OSError: it cannot be read.
    """
    return _tensors(str(file), _stamp(file))


def _stamp(file: Path) -> Stamp:
    """Changes whenever a file does: the time of its inode's last change cannot be set, unlike that of its content."""
    status = file.stat()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


@lru_cache(maxsize=4096)
def _whole(file: str, _: Stamp) -> str:
    with open(file, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@lru_cache(maxsize=256)
def _tensors(file: str, _: Stamp) -> dict[str, str]:
    handle = os.open(file, os.O_RDONLY)
    try:
        size = os.fstat(handle).st_size
        begin, header = _header(handle, size)
        if header is None:
            return {"": digest_of(str(size), *_samples(handle, 0, size, size <= WHOLE, FILE_BLOCKS))}
        found = {}
        for name, described in header.items():
            first, last = described["data_offsets"]
            is_read_whole = size <= WHOLE or last - first <= SMALL
            samples = _samples(handle, begin + first, begin + last, is_read_whole, BLOCKS)
            found[name] = digest_of(described["dtype"], str(described["shape"]), *samples)
        return found
    finally:
        os.close(handle)


def _header(handle: int, size: int) -> tuple[int, dict[str, Any] | None]:
    """Where a safetensors file's values begin, and what each tensor is; None: it is no such file."""
    length = int.from_bytes(os.pread(handle, 8, 0), "little")
    begin = 8 + length
    if not 0 < length <= size - 8:
        return 0, None
    try:
        header = json.loads(os.pread(handle, length, 8))
        header.pop("__metadata__", None)
        known = all(
            {"dtype", "shape"} <= one.keys() and 0 <= one["data_offsets"][0] <= one["data_offsets"][1] <= size - begin
            for one in header.values()
        )
    except (ValueError, AttributeError, KeyError, IndexError, TypeError):
        return 0, None
    return begin, header if known else None


def _samples(handle: int, begin: int, end: int, is_read_whole: bool, blocks: int) -> list[bytes]:
    length = end - begin
    if is_read_whole or length <= blocks * BLOCK:
        return [os.pread(handle, length, begin)]
    places = [begin + index * (length - BLOCK) // (blocks - 1) for index in range(blocks)]
    return [os.pread(handle, BLOCK, place) for place in places]
