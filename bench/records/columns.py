"""Record files → an Arrow table, fast: a big sweep leaves 100,000 of them.

Every file goes through `Record.from_dict`, so damaged and too new records are refused here as everywhere. What a
table never shows (losses, tracebacks) is dropped in the worker that read it. Arrow, because its columns pass from
process to process, into pandas and into a CSV file without an object for every value.
"""

import gc
import itertools
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

import orjson  # half of the standard library's time, in the part that takes most
import pyarrow as pa

from bench.errors import UserError
from bench.records.fields import CURVE, CURVE_FIELD, FIELDS, curve_summary
from bench.records.schema import Record, RecordError
from bench.records.store import FILE, experiment_folder

Answer = TypeVar("Answer")

PARALLEL_FROM = 3000  # below this many files a pool costs more than it saves
CHUNK = 1000  # files per piece of work
AT_ONCE = 500  # files in memory at once
THREADS = 8  # that wait for files
SAMPLE = 20  # files whose time decides whether threads are needed
SLOW = 5e-5  # seconds a file

INDENT = b"\n  "
LOSSES = INDENT + b'"losses": ['

REPEATED = ("settings", "grid", "data", "experiment")  # long, and the same thousands of times
COLUMNS = ("path", *FIELDS, *CURVE)
# Of the others Arrow sees the type by the values.
TYPES = {
    "metrics": pa.map_(pa.string(), pa.float64()),
    "curve": pa.list_(pa.struct({"step": pa.int64(), "value": pa.float64()})),
    **dict.fromkeys(REPEATED, pa.dictionary(pa.int32(), pa.string())),
}


def find_records(results_dir: str | Path, experiment: str) -> list[str]:
    """Paths of all records below `results_dir`/`experiment`, at any depth, sorted.

    Raises:
        UserError: a folder cannot be read.
    """
    top = experiment_folder(results_dir, experiment)
    if not top.is_dir():
        return []
    with ThreadPoolExecutor(THREADS) as pool:
        return sorted(_record_files(str(top), pool))


def _record_files(folder: str, pool: Executor) -> Iterator[str]:
    try:
        with os.scandir(folder) as entries:
            below = [entry.path for entry in entries if not entry.name.startswith(".") and entry.is_dir()]
    except OSError as error:
        raise UserError(f"cannot read the results folder {folder}: {error.strerror}") from error
    records = [f"{path}/{FILE}" for path in below]
    for path, record, is_there in zip(below, records, _shared(pool, os.path.exists, records), strict=True):
        if is_there:
            yield record  # a cell's folder holds no other cells
        else:
            yield from _record_files(path, pool)


def read_columns(paths: list[str]) -> pa.Table:
    """Read the records at `paths`: a row for each, in their order, with the columns `COLUMNS`.

    Raises:
        RecordError: a record is damaged or of a newer schema; the message names its file.
    """
    if len(paths) < PARALLEL_FROM:
        return _read_chunk(paths)
    chunks = [paths[start : start + CHUNK] for start in range(0, len(paths), CHUNK)]
    # Not a fork: the caller may run threads (a progress bar). A worker imports this file only, without pandas.
    with ProcessPoolExecutor(_workers(), mp_context=get_context("spawn")) as pool:
        parts = [*pool.map(_read_chunk, chunks)]
    try:
        # Permissive: what is missing throughout a chunk has no type there, and a count may be whole in one alone.
        return pa.concat_tables(parts, promote_options="permissive").unify_dictionaries()
    except pa.ArrowException as error:
        raise RecordError(f"records do not go together: {error}") from error


def _workers() -> int:
    return min(8, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


@contextmanager
def without_collecting() -> Iterator[None]:
    """Let nobody look for cycles: records hold none, and looking among so many takes most of the time."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


@without_collecting()
def _read_chunk(paths: list[str]) -> pa.Table:
    rows = []
    for path, text in _texts(paths):
        record = _record(path, text)
        fields = [field(record) for field in FIELDS.values()]
        rows.append((path, *fields, *curve_summary(fields[CURVE_FIELD])))
    columns = zip(*rows, strict=True) if rows else ([] for _ in COLUMNS)
    arrays = [_array(name, values, paths) for name, values in zip(COLUMNS, columns, strict=True)]
    return pa.Table.from_arrays(arrays, names=[*COLUMNS])


def _array(name: str, values: Sequence[Any], paths: list[str]) -> pa.Array:
    try:
        return pa.array(values, TYPES.get(name))
    except (pa.ArrowException, TypeError, OverflowError) as error:
        where = f"{paths[0]}, or one of the {len(paths) - 1} after it"
        raise RecordError(f"{where}: '{name}' does not go with that of the others: {error}") from error


def _texts(paths: list[str]) -> Iterator[tuple[str, bytes]]:
    """Each file and what it holds."""
    with ThreadPoolExecutor(THREADS) as pool:
        for start in range(0, len(paths), AT_ONCE):
            some = paths[start : start + AT_ONCE]
            yield from zip(some, _shared(pool, _read, some), strict=True)


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error


def _shared(pool: Executor, ask: Callable[[str], Answer], paths: list[str]) -> Iterator[Answer]:
    """`ask(path)` of each, in order.

    By several threads where the first answers are slow: a disk or a file server that has many requests answers more of
    them. What is in memory already comes faster without.
    """
    begin = time.perf_counter()
    yield from [ask(path) for path in paths[:SAMPLE]]
    rest = paths[SAMPLE:]
    if time.perf_counter() - begin < SLOW * SAMPLE:
        yield from map(ask, rest)
        return
    size = -(-len(rest) // THREADS) or 1
    shares = [rest[start : start + size] for start in range(0, len(rest), size)]
    yield from itertools.chain.from_iterable(pool.map(lambda share: [ask(path) for path in share], shares))


def _record(path: str, text: bytes) -> Record:
    try:
        return Record.from_dict(_parse(_without_losses(text)))
    except (ValueError, RecordError) as error:
        raise RecordError(f"{path}: {error}") from error


def _parse(text: bytes) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        # Takes NaN, which other tools write, and its message names line and column. It also takes half of a pair of
        # surrogates, which JSON can spell and no file can hold.
        return json.loads(json.dumps(json.loads(text), ensure_ascii=False).encode(errors="replace"))


def _without_losses(text: bytes) -> bytes:
    """The record's JSON text with an empty list of losses: half of a record or more, and no table shows them.

    In JSON as the store writes it, a line break is never inside a string, so a line that looks like the key at its
    depth is that key. What the list holds are numbers by name, so the next bracket closes it. Text laid out in another
    way is left as it is.
    """
    begin = text.find(LOSSES)
    end = text.find(b"]", begin + len(LOSSES))
    is_list = begin >= 0 and text[end - len(INDENT) : end] == INDENT
    return text[:begin] + LOSSES + text[end:] if is_list else text
