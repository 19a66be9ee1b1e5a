"""One attempt at a cell that others may want to run too; every launcher comes through here.

A cell is claimed first (`bench.records.claims`). What another sweep has done meanwhile is taken as it is.
"""

from functools import wraps
from pathlib import Path

from bench.configuration.cell import Cell
from bench.errors import UserError
from bench.records.claims import ClaimedError, ClaimLostError, Held, claimed, current_claim, forget
from bench.records.crash import refused_record
from bench.records.glance import look
from bench.records.progress import told
from bench.records.schema import Record, Status
from bench.records.store import FILE, folder_of, make_folder, read_record, stamp_of, write_record
from bench.running.run import Report, silent
from bench.running.runner import run_cell
from bench.system.links import stays_inside


def run_claimed(
    cell: Cell, report: Report = silent, *, planned: str | None = None, patience: float = 0.0
) -> tuple[Record, Path]:
    """Run a cell unless somebody else does, or has done since it was decided to run it.

    Args:
        cell: what to run.
        report: told about the progress.
        planned: `stamp_of` the cell's folder when it was decided to run the cell: a record that came since is the
            answer, however it ended. None: not known; then a finished record is the answer, without `force`.
        patience: seconds to wait for a claim of another machine that shows no sign of life, in case that it is dead;
            for jobs that a cluster starts anew on another node.

    Returns:
        The record, of this attempt or of the other's, and the path of its file.

    Raises:
        ClaimedError: another process runs the cell now.
        UserError: a mistake in the configuration, found before any training; no record is written.
    """
    folder = folder_of(cell.config["results_dir"], cell)
    make_folder(folder, cell.config["results_dir"])
    try:
        with claimed(folder, patience) as held:
            if _settled(cell, folder, planned):
                return read_record(folder / FILE), folder / FILE
            with told(cell, folder, report) as telling:
                return run_cell(cell, _checking(held, telling))
    except ClaimedError:
        raise
    except UserError:
        forget(folder)
        raise
    except ClaimLostError:
        raise ClaimedError(f"{cell.id} was taken over by {current_claim(folder)}; this attempt is given up") from None


def run_in_sweep(cell: Cell, report: Report = silent, *, planned: str | None = None, patience: float = 0.0) -> Record:
    """As `run_claimed`, but a mistake in the configuration becomes a failed record: the other cells go on.

    Raises:
        ClaimedError: another process runs the cell now.
    """
    try:
        return run_claimed(cell, report, planned=planned, patience=patience)[0]
    except ClaimedError:
        raise
    except UserError as error:
        record = refused_record(cell, error)
        folder = folder_of(cell.config["results_dir"], cell)
        if stays_inside(folder, cell.config["results_dir"]):
            write_record(record, folder)
        return record


def _settled(cell: Cell, folder: Path, planned: str | None) -> bool:
    if planned is not None and stamp_of(folder) != planned:
        return True
    if cell.config["force"]:
        return False
    record = look(folder, cell)
    return record is not None and record.status == Status.done


def _checking(held: Held, report: Report) -> Report:
    """The same report, which also ends an attempt whose cell somebody else has taken over."""

    @wraps(report)
    def checked(phase: str, step: int, total: int, loss: float | None) -> None:
        held.check()
        report(phase, step, total, loss)

    return checked
