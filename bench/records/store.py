"""Where records lie, and how they are written so that a killed run leaves no half of one.

`results/<experiment>/<cell id>/record.json`; earlier attempts of the same cell beside it as `attempt-N.json`.
"""

import json
import math
import os
import re
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.configuration.cell import Cell
from bench.configuration.names import check_name, check_path
from bench.errors import UserError
from bench.records.schema import Record, Status
from bench.records.text import losses_of, of_text, text_at
from bench.system.links import link_in, stays_inside
from bench.system.plain_files import why

FILE = "record.json"
ATTEMPT = re.compile(r"attempt-([0-9]{1,9})\.json")


def folder_of(results_dir: str | Path, cell: Cell) -> Path:
    """The folder of a cell's record and files; not created here."""
    return Path(results_dir) / cell.experiment / cell.id


def make_folder(folder: Path, results_dir: str | Path) -> None:
    """Create a cell's folder before anything is spent on the cell.

    Raises:
        UserError: it cannot be created or written to, or a link leads from it to somewhere else.
    """
    if not stays_inside(folder, results_dir):
        raise UserError(f"{folder}: a link leads out of the results folder {results_dir}; remove the link")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
        link = link_in(folder)
    except OSError as error:
        raise UserError(f"cannot write to the results folder {folder}: {why(error)}") from error
    if link is not None:
        raise UserError(f"{link} is a link, and a cell writes to files of its own only; remove it")


def write_record(record: Record, folder: Path) -> Path:
    """Write `record.json` atomically. A finished record is never replaced by one that did not finish.

    An attempt that was there before is kept beside it as `attempt-N.json`; so is this one, where a finished record
    is already there and this attempt is not.

    Returns:
        The path of the file written.

    Raises:
        UserError: it cannot be written (a full disk, say); what was there is as it was.
    """
    path = folder / FILE
    text = text_of(record)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if path.exists():
            spare = _next_attempt(folder)
            if is_done(folder) and record.status != Status.done:
                path = spare
            else:
                write_atomically(spare, path.read_bytes())  # a copy, so that there is a record at every moment
        write_atomically(path, text)
    except OSError as error:
        raise UserError(f"cannot write the record {path}: {error.strerror}") from error
    return path


def _next_attempt(folder: Path) -> Path:
    """A name that no attempt has, also where some have been removed."""
    found = (ATTEMPT.fullmatch(path.name) for path in folder.glob("attempt-*.json"))
    return folder / f"attempt-{1 + max((int(name[1]) for name in found if name), default=0)}.json"


def text_of(record: Record) -> bytes:
    """The record as it is written: JSON, without anything that JSON lacks."""
    return json.dumps(_finite(record.to_dict()), indent=1, ensure_ascii=False, allow_nan=False).encode()


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that readers see all of it or nothing, also after a crash."""
    handle, scratch = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(scratch).chmod(0o644)  # mkstemp makes files private; others have to read the records too
        os.replace(scratch, path)
    except BaseException:
        Path(scratch).unlink(missing_ok=True)
        raise


def read_record(path: Path) -> Record:
    """Read one record, losses included.

    Raises:
        RecordError: the file is damaged or of a newer schema; the message names it.
    """
    text = text_at(path)
    record = of_text(path, text)
    if record.metrics is not None:
        record.metrics.losses = losses_of(text) or record.metrics.losses
    return record


def is_done(folder: Path) -> bool:
    """Whether the cell in `folder` has a finished record.

    Raises:
        RecordError: there is a record that cannot be read. It is not overwritten; the user decides.
    """
    path = folder / FILE
    return path.exists() and read_record(path).status == Status.done


def stamp_of(folder: Path) -> str:
    """Tells one record of a cell from a later one: changes whenever `record.json` is written; "" without one.

    Raises:
        UserError: the folder cannot be read.
    """
    try:
        status = (folder / FILE).stat()
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except OSError as error:
        raise UserError(f"cannot read {folder / FILE}: {error.strerror}") from error
    return f"{status.st_ino}-{status.st_mtime_ns}"


def results_folder(results_dir: str | Path) -> Path:
    """Where experiments lie; the folder need not be there yet.

    Raises:
        UserError: `results_dir` is something else than a folder, or no path at all.
    """
    root = Path(check_path("results_dir", str(results_dir)))
    try:
        if not stat.S_ISDIR(root.stat().st_mode):
            raise UserError(f"cannot read the results folder {root}: not a folder")
    except FileNotFoundError:
        pass
    except OSError as error:
        raise UserError(f"cannot read the results folder {root}: {why(error)}") from error
    return root


def experiment_folder(results_dir: str | Path, experiment: str) -> Path:
    """Where an experiment's cells lie, those of all experiments if it is ""; the folder need not be there yet.

    Raises:
        UserError: as `results_folder`, or the experiment's name leads elsewhere.
    """
    root = results_folder(results_dir)
    return root / check_name("experiment", experiment) if experiment else root


def read_records(results_dir: str | Path, experiment: str) -> Iterator[Record]:
    """All records of an experiment, in the order of their cells' names.

    Raises:
        UserError: the folder cannot be read.
        RecordError: a record cannot be read.
    """
    root = experiment_folder(results_dir, experiment)
    try:
        folders = sorted(path for path in root.iterdir() if path.is_dir()) if root.exists() else []
    except OSError as error:
        raise UserError(f"cannot read the results folder {root}: {error.strerror}") from error
    for folder in folders:
        if (folder / FILE).exists():
            yield read_record(folder / FILE)


def _finite(value: Any) -> Any:
    """JSON has no NaN and no infinity; a score that is not a number is stored as null."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
