"""A record's file and the record: the one reading of it that decides for all commands whether it counts.

Losses are half of a file or more, and no table shows them: they are cut out before the rest is parsed, and read apart.
"""

import json
from pathlib import Path
from typing import Any

import orjson  # half of the standard library's time, in the part that takes most

from bench.records.schema import Record, RecordError
from bench.system.plain_files import read_file, why

INDENT = b"\n  "
LOSSES = INDENT + b'"losses": ['


def read(path: str | Path) -> Record:
    """The record at `path`, without its losses.

    Raises:
        RecordError: it cannot be read; the message names the file.
        FileNotFoundError, NotADirectoryError: there is none.
    """
    return of_text(path, text_at(path))


def text_at(path: str | Path) -> bytes:
    """What is written at `path`; raises as `read` does."""
    try:
        return read_file(path)
    except (FileNotFoundError, NotADirectoryError):
        raise
    except OSError as error:
        raise RecordError(f"{path}: {why(error)}") from error


def of_text(path: str | Path, text: bytes) -> Record:
    """The record that is written at `path`, without its losses; raises RecordError."""
    try:
        return Record.from_dict(_parsed(_without_losses(text)))
    except (ValueError, RecordError) as error:
        raise RecordError(f"{path}: {error}") from error
    except RecursionError:
        raise RecordError(f"{path}: not a record: nested too deep") from None


def losses_of(text: bytes) -> list[Any]:
    """The losses that `of_text` leaves out; empty where they cannot be read."""
    part = _losses(text)
    try:
        found = json.loads(text[part]) if part is not None else []
    except (ValueError, RecursionError):
        return []
    return found if isinstance(found, list) else []


def _parsed(text: bytes) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        # Takes NaN, which other tools write, and its message names line and column. It also takes half of a pair of
        # surrogates, which JSON can spell and no file can hold.
        return json.loads(json.dumps(json.loads(text), ensure_ascii=False).encode(errors="replace"))


def _losses(text: bytes) -> slice | None:
    """Where the list of losses is.

    In JSON as the store writes it, a line break is never inside a string, so a line that looks like the key at its
    depth is that key. What the list holds are numbers by name, so the next bracket closes it. Text laid out in another
    way is left as it is.
    """
    begin = text.find(LOSSES)
    end = text.find(b"]", begin + len(LOSSES))
    is_list = begin >= 0 and text[end - len(INDENT) : end] == INDENT
    return slice(begin + len(LOSSES) - 1, end + 1) if is_list else None


def _without_losses(text: bytes) -> bytes:
    part = _losses(text)
    return text if part is None else text[: part.start] + b"[]" + text[part.stop :]
