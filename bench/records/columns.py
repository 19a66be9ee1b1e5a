"""Record files → an Arrow table, fast: a big sweep leaves 100,000 of them.

Every file goes through `bench.records.text`, so that what counts here counts everywhere. What a table never shows
(losses, tracebacks) is dropped in the worker that read it. Arrow, because its columns pass from process to process,
into pandas and into a CSV file without an object for every value.
"""

import itertools
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa

from bench.errors import UserError
from bench.records.fields import CURVE, CURVE_FIELD, FIELDS, curve_summary, main_metric
from bench.records.schema import Record, RecordError
from bench.records.store import FILE, experiment_folder
from bench.records.text import of_text, text_at
from bench.system.collecting import without_collecting
from bench.system.main_module import without_main
from bench.system.plain_files import why
from bench.system.processors import processors
from bench.system.terminal import warn

Answer = TypeVar("Answer")

PARALLEL_FROM = 3000  # below this many files a pool costs more than it saves
CHUNK = 1000  # files per piece of work
AT_ONCE = 500  # files in memory at once
THREADS = 8  # that wait for files
SAMPLE = 20  # files whose time decides whether threads are needed
SLOW = 5e-5  # seconds a file

REPEATED = (
    "settings",
    "grid",
    "data",
    "made_of",
    "experiment",
    "about",
    "bleu_tokenizer",
    "chosen_by",
)  # the same thousands of times
COLUMNS = ("path", *FIELDS, *CURVE)
# Of the others Arrow sees the type by the values.
TYPES = {
    "metrics": pa.map_(pa.string(), pa.float64()),
    "curve": pa.list_(pa.struct({"step": pa.int64(), "value": pa.float64()})),
    **dict.fromkeys(REPEATED, pa.dictionary(pa.int32(), pa.string())),
}


def find_records(results_dir: str | Path, experiment: str = "") -> list[str]:
    """Paths of all records below `results_dir`/`experiment`, at any depth, sorted; a folder that is no folder is told.

    Raises:
        UserError: the results folder cannot be read.
    """
    top = experiment_folder(results_dir, experiment)
    if not top.is_dir():
        return []
    with ThreadPoolExecutor(THREADS) as pool:
        return sorted(_record_files(str(top), pool))


def _record_files(top: str, pool: Executor) -> Iterator[str]:
    folders = [top]
    while folders:
        folder = folders.pop()
        try:
            below = _folders_in(folder)
        except OSError as error:
            if folder == top:
                raise UserError(f"cannot read the results folder {folder}: {why(error)}") from error
            warn(f"{folder}: {why(error)}; what is in it is left out")
            continue
        records = [f"{path}/{FILE}" for path in below]
        for path, record, is_there in zip(below, records, _shared(pool, os.path.exists, records), strict=True):
            if is_there:
                yield record  # a cell's folder holds no other cells
            else:
                folders.append(path)


def _folders_in(folder: str) -> list[str]:
    with os.scandir(folder) as entries:
        return [entry.path for entry in entries if not entry.name.startswith(".") and _is_folder(entry)]


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether there is something to look for: no link that leads back up, nor one that leads nowhere."""
    if not entry.is_symlink():
        return entry.is_dir()
    real = os.path.realpath(entry.path)
    above = f"{os.path.realpath(os.path.dirname(entry.path))}{os.sep}"
    return os.path.isdir(real) and not above.startswith(f"{real}{os.sep}")


def read_columns(paths: list[str]) -> pa.Table:
    """Read the records at `paths`: a row for each, in their order, with the columns `COLUMNS`.

    One that cannot be read has no row; a line on standard error names it and says why.
    """
    if len(paths) < PARALLEL_FROM:
        table, unreadable = _read_chunk(paths)
    else:
        chunks = [paths[start : start + CHUNK] for start in range(0, len(paths), CHUNK)]
        # Not a fork: the caller may run threads (a progress bar). A worker imports this file only, without pandas.
        with without_main(), ProcessPoolExecutor(_workers(), mp_context=get_context("spawn")) as pool:
            parts, problems = zip(*pool.map(_read_chunk, chunks), strict=True)
        # Permissive: what is missing throughout a chunk has no type there, and a count may be whole in one alone.
        table = pa.concat_tables(parts, promote_options="permissive").unify_dictionaries()
        unreadable = [problem for some in problems for problem in some]
    for problem in unreadable:
        warn(f"{problem}; it is left out")
    return table


def _workers() -> int:
    return min(8, processors())


# Records hold no circles, and looking for some among so many takes most of the time.
@without_collecting()
def _read_chunk(paths: list[str]) -> tuple[pa.Table, list[str]]:
    """The rows of the records that can be read, and of each other one its path and why not."""
    rows, unreadable = [], []
    for path, text in _texts(paths):
        try:
            rows.append(_row(path, of_text(path, text)) if isinstance(text, bytes) else _refuse(text))
        except RecordError as error:
            unreadable.append(str(error))
    columns = zip(*rows, strict=True) if rows else ([] for _ in COLUMNS)
    arrays = [pa.array(values, TYPES.get(name)) for name, values in zip(COLUMNS, columns, strict=True)]
    return pa.Table.from_arrays(arrays, names=[*COLUMNS]), unreadable


def _row(path: str, record: Record) -> tuple[Any, ...]:
    fields = [field(record) for field in FIELDS.values()]
    return path, *fields, *curve_summary(fields[CURVE_FIELD], main_metric(record))


def _refuse(error: Exception) -> Any:
    raise error


def _texts(paths: list[str]) -> Iterator[tuple[str, bytes | RecordError]]:
    """Each file and what it holds, or why that cannot be read."""
    with ThreadPoolExecutor(THREADS) as pool:
        for start in range(0, len(paths), AT_ONCE):
            some = paths[start : start + AT_ONCE]
            yield from zip(some, _shared(pool, _text, some), strict=True)


def _text(path: str) -> bytes | RecordError:
    try:
        return text_at(path)
    except (RecordError, OSError) as error:  # also one that was removed since it was found
        return error if isinstance(error, RecordError) else RecordError(f"{path}: {why(error)}")


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
