"""Record files → an Arrow table, fast: a big sweep leaves 100,000 of them.

Every file goes through `bench.records.text`, so that what counts here counts everywhere. What a table never shows
(losses, tracebacks) is dropped in the worker that read it. Arrow, because its columns pass from process to process,
into pandas and into a CSV file without an object for every value.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from typing import Any

import pyarrow as pa

from bench.records.column_types import COLUMNS, SCHEMA, array_of
from bench.records.fields import CURVE_FIELD, FIELDS, curve_summary, main_metric
from bench.records.finding import THREADS, shared
from bench.records.schema import Record, RecordError
from bench.records.text import of_text, text_at
from bench.system.collecting import without_collecting
from bench.system.main_module import without_main
from bench.system.plain_files import why
from bench.system.processors import processors
from bench.system.terminal import warn

PARALLEL_FROM = 3000  # below this many files a pool costs more than it saves
CHUNK = 1000  # files per piece of work
AT_ONCE = 500  # files in memory at once


def read_columns(paths: Sequence[str]) -> pa.Table:
    """Read the records at `paths`: a row for each, in their order, with the columns `COLUMNS`.

    One that cannot be read has no row; a line on standard error names it and says why.
    """
    chunks = [paths[start : start + CHUNK] for start in range(0, len(paths), CHUNK)]
    if len(paths) < PARALLEL_FROM:
        found = [_read_chunk(chunk) for chunk in chunks]
    else:
        # Not a fork: the caller may run threads (a progress bar). A worker imports this file only, without pandas.
        with without_main(), ProcessPoolExecutor(_workers(), mp_context=get_context("spawn")) as pool:
            found = list(pool.map(_read_chunk, chunks))
    for problem in (problem for _, problems in found for problem in problems):
        warn(f"{problem}; it is left out")
    return pa.concat_tables([table for table, _ in found] or [SCHEMA.empty_table()]).unify_dictionaries()


def _workers() -> int:
    return min(8, processors())


# Records hold no circles, and looking for some among so many takes most of the time.
@without_collecting()
def _read_chunk(paths: Sequence[str]) -> tuple[pa.Table, list[str]]:
    """The rows of the records that can be read, and of each other one its path and why not."""
    rows, unreadable = [], []
    for path, text in _texts(paths):
        try:
            rows.append(_row(path, of_text(path, text)) if isinstance(text, bytes) else _refuse(text))
        except RecordError as error:
            unreadable.append(str(error))
    columns = zip(*rows, strict=True) if rows else ([] for _ in COLUMNS)
    arrays = [array_of(name, values) for name, values in zip(COLUMNS, columns, strict=True)]
    return pa.Table.from_arrays(arrays, schema=SCHEMA), unreadable


def _row(path: str, record: Record) -> tuple[Any, ...]:
    fields = [field(record) for field in FIELDS.values()]
    return path, *fields, *curve_summary(fields[CURVE_FIELD], main_metric(record))


def _refuse(error: Exception) -> Any:
    raise error


def _texts(paths: Sequence[str]) -> Iterator[tuple[str, bytes | RecordError]]:
    """Each file and what it holds, or why that cannot be read."""
    with ThreadPoolExecutor(THREADS) as pool:
        for start in range(0, len(paths), AT_ONCE):
            some = paths[start : start + AT_ONCE]
            yield from zip(some, shared(pool, _text, some), strict=True)


def _text(path: str) -> bytes | RecordError:
    try:
        return text_at(path)
    except (RecordError, OSError) as error:  # also one that was removed since it was found
        return error if isinstance(error, RecordError) else RecordError(f"{path}: {why(error)}")
