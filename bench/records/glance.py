"""How a record ended, without its losses: a sweep looks at ten thousand before it starts."""

from pathlib import Path

from bench.records.schema import Status
from bench.records.store import FILE
from bench.records.text import read


def status_of(folder: Path) -> Status | None:
    """How the cell in `folder` ended; None: it has no record.

    Raises:
        RecordError: there is a record that cannot be read, or is of a newer schema; the message names it.
    """
    try:
        return read(folder / FILE).status
    except (FileNotFoundError, NotADirectoryError):
        return None
