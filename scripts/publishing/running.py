"""One command of a stage, within the time that is left."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from scripts.publishing.gpu_tests import ROOT
from scripts.publishing.stages import Command

GRACE = 60.0  # seconds that a command has, once it is told to stop, to leave what it has done in order


@dataclass(frozen=True)
class Ended:
    """How a command ended.

    Attributes:
        code: its exit code, negative: the signal that killed it.
        in_time: False: it was stopped because the time was up.
        said: the last line that it printed.
    """

    code: int
    in_time: bool
    said: str

    @property
    def failure(self) -> str | None:
        """Why it was no success; None: it was one."""
        if self.code == 0:
            return None
        how = f"killed by {signal.Signals(-self.code).name}" if self.code < 0 else f"exit code {self.code}"
        return f"{how}: {self.said}" if self.said else how


def run(
    command: Command,
    log: Path,
    limit: float,
    environment: dict[str, str],
    began: Callable[[int], None] = lambda _: None,
) -> Ended:
    """Run a command in the repository's folder.

    Args:
        command: what follows the interpreter.
        log: its output is appended there.
        limit: seconds until it is stopped, as by Ctrl-C, and a little later killed.
        environment: variables beside this process's own.
        began: told the process's number.

    Raises:
        KeyboardInterrupt: this process was to stop; the command has been stopped.
    """
    with log.open("ab") as out:
        out.write(f"$ python {' '.join(command)}\n".encode())
        out.flush()
        start = out.tell()
        process = subprocess.Popen(
            [sys.executable, *command], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
            start_new_session=True, env={**os.environ, "PYTHONUNBUFFERED": "1", **environment},
        )  # fmt: skip
        try:
            began(process.pid)
            code, in_time = process.wait(max(0.0, limit)), True
        except subprocess.TimeoutExpired:
            code, in_time = _stop(process), False
        except BaseException:
            _stop(process)
            raise
    return Ended(code, in_time, last_line(log, start))


def _stop(process: subprocess.Popen[bytes]) -> int:
    """Ctrl-C for a command and what it started; SIGKILL for what does not mind it."""
    for how, patience in ((signal.SIGINT, GRACE), (signal.SIGKILL, None)):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, how)
        with suppress(subprocess.TimeoutExpired):
            return process.wait(patience)
    raise AssertionError("nothing outlives SIGKILL")


def last_line(log: Path, start: int = 0) -> str:
    """The last line of a log that says something, from byte `start` on; "" where there is none."""
    with log.open("rb") as file:
        file.seek(start)
        lines = [line.strip() for line in file.read().decode(errors="replace").splitlines()]
    return next((line for line in reversed(lines) if line), "")
