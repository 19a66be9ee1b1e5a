"""Record files → columns of plain values, fast: a big sweep leaves 100,000 of them.

Every file goes through `Record.from_dict`, so damaged and too new records are refused here as everywhere. What a
table never shows (losses, tracebacks) is dropped in the worker that read it.
"""

import gc
import json
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import orjson  # five times as fast as the standard library's, which would take most of the time

from bench.errors import UserError
from bench.records.fields import CURVE, CURVE_FIELD, FIELDS, curve_summary
from bench.records.schema import Record, RecordError
from bench.records.store import FILE, experiment_folder

Columns = dict[str, list[Any]]

PARALLEL_FROM = 3000  # below this many files a pool costs more than it saves
CHUNK = 1000  # files per piece of work

LOSSES, LOSSES_END = b'\n  "losses": [', b"\n  ]"

LONG_AND_REPEATED = ("settings", "grid", "data", "experiment")
COLUMNS = ("path", *FIELDS, *CURVE)


def find_records(results_dir: str | Path, experiment: str) -> list[str]:
    """Paths of all records below `results_dir`/`experiment`, at any depth, sorted.

    Raises:
        UserError: a folder cannot be read.
    """
    top = experiment_folder(results_dir, experiment)
    return sorted(_record_files(str(top))) if top.is_dir() else []


def _record_files(folder: str) -> Iterator[str]:
    try:
        with os.scandir(folder) as entries:
            below = [entry.path for entry in entries if not entry.name.startswith(".") and entry.is_dir()]
    except OSError as error:
        raise UserError(f"cannot read the results folder {folder}: {error.strerror}") from error
    for path in below:
        record = f"{path}/{FILE}"
        if os.path.exists(record):
            yield record  # a cell's folder holds no other cells
        else:
            yield from _record_files(path)


def read_columns(paths: list[str]) -> Columns:
    """Read the records at `paths`, a list per column of `COLUMNS`, all of the same length and order.

    Raises:
        RecordError: a record is damaged or of a newer schema; the message names its file.
    """
    if len(paths) < PARALLEL_FROM:
        return _read_chunk(paths)
    with without_collecting():
        return _read_in_parallel(paths)


def _read_in_parallel(paths: list[str]) -> Columns:
    chunks = [paths[start : start + CHUNK] for start in range(0, len(paths), CHUNK)]
    joined: Columns = {name: [] for name in COLUMNS}
    # Not a fork: the caller may run threads (a progress bar). A worker imports this file only, without pandas.
    with ProcessPoolExecutor(_workers(), mp_context=get_context("spawn")) as pool:
        for part in pool.map(_read_chunk, chunks):
            for name, values in part.items():
                # One object for equal strings, also across chunks: settings repeat thousands of times.
                joined[name] += map(sys.intern, values) if name in LONG_AND_REPEATED else values
    return joined


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
def _read_chunk(paths: list[str]) -> Columns:
    rows = []
    seen: dict[str, str] = {}
    for path in paths:
        record = _read(path)
        fields = [field(record) for field in FIELDS.values()]
        row = [path, *fields, *curve_summary(fields[CURVE_FIELD])]
        # One object for equal strings, which also makes the way back to the parent process short.
        rows.append([seen.setdefault(value, value) if type(value) is str else value for value in row])
    columns = zip(*rows, strict=True) if rows else ([] for _ in COLUMNS)
    return {name: list(values) for name, values in zip(COLUMNS, columns, strict=True)}


def _read(path: str) -> Record:
    try:
        handle = os.open(path, os.O_RDONLY)
        try:
            text = os.read(handle, os.fstat(handle).st_size + 1)
        finally:
            os.close(handle)
        return Record.from_dict(_parse(_without_losses(text)))
    except (ValueError, RecordError) as error:
        raise RecordError(f"{path}: {error}") from error
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error


def _parse(text: bytes) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return json.loads(text)  # takes NaN, which other tools write; and its message names line and column


def _without_losses(text: bytes) -> bytes:
    """The record's JSON text with an empty list of losses: half of a record or more, and no table shows them.

    In JSON as the store writes it, a line break is never inside a string, so a line that looks like the key at its
    depth is that key, and the next bracket at that depth closes it. Text laid out in another way is left as it is.
    """
    begin = text.find(LOSSES)
    end = text.find(LOSSES_END, begin)
    return text if begin < 0 or end < 0 else text[:begin] + LOSSES + text[end + 3 :]
