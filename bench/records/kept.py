"""The columns of an experiment's records, kept beside them: a table made again reads those files only that changed.

What is kept of a record counts while its file is the one that was read: same place, inode, size and times, the one
included that nobody can set (`bench.records.finding.Found`). So that no change hides behind a clock that ticks too
slowly, a file that was changed right before it was read is read again the next time. What is kept was made by this
very code, and is whole: else it is as if it were not there, and made anew. Where nothing can be written, nothing is.
"""

import hashlib
import os
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

import orjson
import pyarrow as pa

from bench.records.column_types import COLUMNS, SCHEMA
from bench.records.columns import read_columns
from bench.records.finding import Found, find
from bench.records.store import experiment_folder
from bench.system.arrow_files import read_arrow, write_arrow
from bench.system.links import stays_inside

FILE = ".columns.arrow"  # in the experiment's folder
TICK = 2_000_000_000  # nanoseconds: the coarsest clock of a file system in use (FAT's)
SPARE = 0.01  # share of the files that may be read again each time before what is kept is written anew
KEPT_FROM = 50  # fewer files are read as fast as what would be kept of them
WHO = pa.schema([("file", pa.string()), *((name, pa.int64()) for name in ("inode", "size", "content", "changed"))])


def columns_of(results_dir: str | Path, experiment: str) -> tuple[pa.Table, int]:
    """The columns `COLUMNS` of all records of an experiment, sorted by path, and how many records cannot be read.

    Raises:
        UserError: the results folder cannot be read.
    """
    top = experiment_folder(results_dir, experiment)
    return columns_below(top, find(top), stays_inside(top, results_dir))


def columns_below(top: Path, files: Sequence[Found], may_write: bool = True) -> tuple[pa.Table, int]:
    """The columns of the records that were found below `top`, in their order, and how many cannot be read."""
    if len(files) < KEPT_FROM or not may_write:
        table = read_columns([found.path for found in files])
        return table, len(files) - len(table)
    return _with_kept(top, files)


def _with_kept(top: Path, files: Sequence[Found]) -> tuple[pa.Table, int]:
    now = _clock(top)  # before anything is read
    start = len(str(top)) + 1
    kept = read_arrow(top / FILE, _code())
    if kept is not None and _is_of(kept, files, start):
        return _as_read(_at(kept, top)), 0
    rows = {} if kept is None else _rows_by_file(kept)
    old = [(found, rows[key]) for found in files if (key := (found.path[start:], *found.identity)) in rows]
    known = {found.path for found, _ in old}
    # In the order of the disk, about: half the time of the order of names, where the files are not in memory.
    fresh = sorted((found for found in files if found.path not in known), key=lambda found: found.identity)
    parts = [] if kept is None else [_at(kept.take(pa.array([row for _, row in old], pa.int64())), top)]
    if fresh:
        parts.append(read_columns([found.path for found in fresh]))
    table = _as_read(_in_order(pa.concat_tables(parts), files))
    settled = {found.path: found for found in files if now is not None and max(found.identity[2:]) < now - TICK}
    gone = 0 if kept is None else len(kept) - len(old)
    worth = sum(found.path in settled for found in fresh) + gone
    if worth > SPARE * len(files):
        _keep(top, table, settled)
    return table, len(files) - len(table)


def _is_of(kept: pa.Table, files: Sequence[Found], start: int) -> bool:
    """Whether it is of all these files, in their order, and of nothing else: mostly so, and quickly seen."""
    if len(kept) != len(files):
        return False
    who = zip(*((found.path[start:], *found.identity) for found in files), strict=True)
    return all(
        pa.chunked_array([pa.array(values, field.type)]).equals(kept[field.name])
        for field, values in zip(WHO, who, strict=True)
    )


def _rows_by_file(kept: pa.Table) -> dict[tuple[str | int, ...], int]:
    """Where the row of each file is that was read: by its place below the folder and its identity."""
    columns = (kept[name].to_pylist() for name in WHO.names)
    return {key: row for row, key in enumerate(zip(*columns, strict=True))}


def _at(kept: pa.Table, top: Path) -> pa.Table:
    """The columns of records, their paths as of today: the results folder may have been named in another way."""
    import pyarrow.compute as pc

    path = pc.binary_join_element_wise(pa.scalar(str(top)), kept["file"], "/")
    return kept.drop_columns(WHO.names).add_column(0, SCHEMA.field("path"), path).select(COLUMNS)


def _in_order(table: pa.Table, files: Sequence[Found]) -> pa.Table:
    places = {path: place for place, path in enumerate(table["path"].to_pylist())}
    order = [places[found.path] for found in files if found.path in places]
    return table.unify_dictionaries().combine_chunks().take(pa.array(order, pa.int64()))


def _as_read(table: pa.Table) -> pa.Table:
    """The same table with each dictionary as reading the files in their order makes it."""
    import pyarrow.compute as pc

    table = table.unify_dictionaries().combine_chunks()
    for place, field in enumerate(table.schema):
        if pa.types.is_dictionary(field.type) and len(table):
            (column,) = table[field.name].chunks
            used = pc.unique(column.indices)
            codes = pc.index_in(column.indices, used)
            column = pa.DictionaryArray.from_arrays(codes, column.dictionary.take(used))
            table = table.set_column(place, field, column)
    return table


def _keep(top: Path, table: pa.Table, settled: dict[str, Found]) -> None:
    """Write what is known of the files that are `settled`; where that cannot be, it is read again the next time."""
    start = len(str(top)) + 1
    paths = table["path"].to_pylist()
    rows = [row for row, path in enumerate(paths) if path in settled]
    files = [settled[paths[row]] for row in rows]
    who = zip(*((found.path[start:], *found.identity) for found in files), strict=True) if files else [[]] * len(WHO)
    known = table.take(pa.array(rows, pa.int64())).drop_columns(["path"])
    for field, values in zip(WHO, who, strict=True):
        known = known.append_column(field, pa.array(values, field.type))
    with suppress(OSError, pa.ArrowException, OverflowError):
        write_arrow(known, _code(), top / FILE)


def _clock(top: Path) -> int | None:
    """The file system's time in nanoseconds, by a new file's; None: nothing can be written."""
    try:
        with tempfile.TemporaryFile(dir=top) as file:
            return os.fstat(file.fileno()).st_mtime_ns
    except OSError:
        return None


@cache
def _code() -> bytes:
    """What made the columns: this code, and the libraries that read JSON and write Arrow."""
    digest = hashlib.sha256(f"{orjson.__version__} {pa.__version__} {sys.version_info[:2]}".encode())
    package = Path(__file__).parents[1]
    for file in sorted(
        path for folder in ("records", "configuration", "system") for path in package.glob(f"{folder}/*.py")
    ):
        digest.update(file.read_bytes())
    return digest.digest()
