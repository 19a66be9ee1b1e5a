"""Arrow tables kept in files: under what they were made of, sealed against damage, written in one step.

A file that is cut off, damaged, or made of something else is as if it were not there.
"""

from pathlib import Path

import pyarrow as pa
import xxhash

from bench.system.cache import write_once

NAME = 32  # bytes of a SHA-256: of whatever the table was made of
# Behind the table; damage is to be found, not deceit: xxHash is forty times as quick as SHA-256.
SEAL = NAME + 16


def read_arrow(file: Path, name: bytes) -> pa.Table | None:
    """The table in `file`, mapped into memory, if it is whole and was made of what `name` stands for; else None."""
    try:
        if not file.is_file():  # none yet; or a pipe, which would be waited for
            return None
        with pa.memory_map(str(file)) as source:
            content = source.read_buffer()
    except (OSError, pa.ArrowException):  # an empty file, somebody else's
        return None
    size = max(content.size - SEAL, 0)
    table = content.slice(0, size)
    if content.slice(size).to_pybytes() != name + xxhash.xxh3_128_digest(table):
        return None
    return pa.ipc.open_file(table).read_all()


def write_arrow(table: pa.Table, name: bytes, file: Path) -> None:
    """Write it so that readers see all of it or nothing; raises OSError where it cannot be written.

    Args:
        table: what to keep.
        name: of what it was made; `NAME` bytes.
        file: written over if it is there.
    """
    write_once(file, lambda path: _write(table, name, path))


def _write(table: pa.Table, name: bytes, path: Path) -> None:
    """An Arrow file, and sealed at its end: what it was made of, and its own hash."""
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    with pa.memory_map(str(path)) as source:
        digest = xxhash.xxh3_128_digest(source.read_buffer())
    with path.open("ab") as stream:
        stream.write(name + digest)
