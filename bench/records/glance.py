"""The record of a cell without its losses, as a sweep looks at ten thousand before it starts."""

from pathlib import Path

from bench.configuration.cell import Cell
from bench.records.belonging import contradiction, elsewhere, in_one_line, is_of
from bench.records.schema import Record
from bench.records.store import FILE
from bench.records.text import read
from bench.system.terminal import warn


def look(folder: Path, cell: Cell) -> Record | None:
    """The record of `cell` in its folder; None: it has none, or one of another cell, which is told.

    Raises:
        RecordError: there is a record that cannot be read, or is of a newer schema; the message names it.
    """
    path = folder / FILE
    try:
        record = read(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    if is_of(record.cell, cell):
        return record
    problem = (
        contradiction(record.cell)
        or elsewhere(record.cell.id, path)
        or f"the settings in it are not those of {cell.id}"
    )
    warn(in_one_line(path, problem))
    return None
