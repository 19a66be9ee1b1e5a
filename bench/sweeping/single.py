"""One cell that somebody asks for by itself: run, unless its record is the answer already."""

import sys
from pathlib import Path

from bench.configuration.cell import Cell
from bench.records.schema import Record
from bench.records.store import FILE, folder_of, read_record, stamp_of
from bench.sweeping.stale import settled
from bench.system.terminal import say


def run_single(cell: Cell, rerun: str | None = None) -> tuple[Record, Path]:
    """Run a cell that is not done, and show how far it is.

    Args:
        cell: which.
        rerun: what becomes of a stale cell, see `bench.sweeping.stale.settled`.

    Returns:
        The record, and the path of its file.

    Raises:
        UserError: a mistake in the configuration, found before any training; a stale cell that nobody has decided on;
            or another process runs the cell now.
    """
    folder = folder_of(cell.config["results_dir"], cell)
    planned = stamp_of(folder)
    cell, is_settled = settled(folder, cell, rerun)
    if is_settled:
        record = read_record(folder / FILE)
        say(f"{cell.id} is done already; force=true runs it again", sys.stderr)
        return record, folder / FILE
    # Only now what imports torch.
    from bench.running.attempt import run_claimed
    from bench.sweeping.progress import CellProgress

    with CellProgress(1) as progress:
        record, path = run_claimed(cell, lambda *where: progress.update(cell.id, *where), planned=planned)
        progress.finish(cell.id, record)
    return record, path
