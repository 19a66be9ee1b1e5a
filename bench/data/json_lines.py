"""JSON lines: an object with the columns in every line that is not blank; and JSON: a list of such objects."""

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from bench.data.columns import Lines
from bench.errors import UserError

BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def read_json_lines(content: bytes, file: Path, columns: Collection[str] | None) -> Lines:
    """The rows of a file; only `columns` are kept of them, or those of the first (None).

    Raises:
        UserError: a line that is not UTF-8, not JSON, or no object with columns; with file and line.
    """
    numbers: list[int] = []
    values: dict[str, list[Any]] = {column: [] for column in columns or ()}
    header: tuple[str, ...] = ()
    for number, line in enumerate(content.removeprefix(BYTE_ORDER_MARK).split(b"\n"), 1):
        if not line.strip():
            continue
        row = _row(line, f"{file}, row {number}")
        if not header:
            header = tuple(row)
            if columns is None:
                values = {column: [None] * len(numbers) for column in header}  # rows before it were empty objects
        numbers.append(number)
        for column, kept in values.items():
            kept.append(row.get(column))
    return Lines(header, numbers, values)


def read_json(content: bytes, file: Path, columns: Collection[str] | None) -> Lines:
    """The rows of a file that is one list of objects; only `columns` are kept of them, or those of the first (None).

    Raises:
        UserError: not UTF-8, not JSON, no list, or one with something else than objects; with file and row.
    """
    rows = _parsed(content.removeprefix(BYTE_ORDER_MARK), str(file))
    if not isinstance(rows, list):
        raise UserError(f"{file}: not a list of objects with columns; a file with one in every line is called .jsonl")
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict):
            raise UserError(f"{file}, row {number}: not an object with columns")
    header = tuple(rows[0]) if rows else ()
    kept = header if columns is None else columns
    return Lines(header, range(1, len(rows) + 1), {name: [row.get(name) for row in rows] for name in kept})


def _row(line: bytes, place: str) -> dict[str, Any]:
    row = _parsed(line, place)
    if not isinstance(row, dict):
        raise UserError(f"{place}: not an object with columns")
    return row


def _parsed(content: bytes, place: str) -> Any:
    try:
        return json.loads(content.decode(), object_pairs_hook=_object)
    except UnicodeDecodeError as error:
        raise UserError(f"{place}: not UTF-8: {error.reason} at byte {error.start}") from error
    except (ValueError, RecursionError) as error:  # numbers of thousands of digits, thousands of brackets
        raise UserError(f"{place}: not JSON: {error}") from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; JSON does not say which value counts where a key is there twice."""
    result = dict(pairs)
    if len(result) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key {next(key for key in keys if keys.count(key) > 1)!r} is there twice")
    return result
