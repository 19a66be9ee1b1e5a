"""Records of attempts that could not write their own: a process that died, a configuration that was refused."""

import platform
import signal

from bench.configuration.cell import Cell
from bench.errors import UnsupportedError, UserError
from bench.records.schema import CellIdentity, Failure, Record, Status


def crash_record(cell: Cell, exitcode: int | None) -> Record:
    """The record of a cell whose process ended without one; a negative exit code is the signal that killed it."""
    if exitcode is not None and exitcode < 0:
        message = f"the process was killed by {signal.Signals(-exitcode).name}"
    else:
        message = f"the process ended with exit code {exitcode}"
    return died_record(cell, message)


def late_record(cell: Cell, timeout: float) -> Record:
    """The record of a cell that was ended because it took longer than `timeout` seconds."""
    return _failed(cell, Failure("TimeoutError", f"not finished after timeout={timeout:g} seconds", "", "unknown"))


def lost_record(cell: Cell, error: Exception) -> Record:
    """The record of a cell whose job on a cluster ended without one; `error` is what the cluster says."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return _failed(cell, Failure("JobDied", lines[0], "\n".join(lines), "unknown"))


def refused_record(cell: Cell, error: UserError) -> Record:
    """The record of a cell that could not be started because of its settings or data, or is not supported."""
    status = Status.unsupported if isinstance(error, UnsupportedError) else Status.failed
    return _record(cell, status, Failure(type(error).__name__, str(error), "", "check"))


def died_record(cell: Cell, message: str) -> Record:
    """The record of a cell of which a process died."""
    return _failed(cell, Failure("ProcessDied", message, "", "unknown"))


def _failed(cell: Cell, failure: Failure) -> Record:
    return _record(cell, Status.failed, failure)


def _record(cell: Cell, status: Status, failure: Failure) -> Record:
    return Record(CellIdentity.of(cell), status, {"host": platform.node()}, failure)
