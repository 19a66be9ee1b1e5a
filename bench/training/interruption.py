"""Being asked to stop, or to write a checkpoint, in the middle of a step.

A scheduler that takes a machine away says so beforehand: SLURM sends SIGUSR2 or SIGTERM. While a cell is trained such
a signal waits for the end of the step and for a checkpoint; then it takes its course, whatever that was before (to end
the process, or to have the job queued again). A second one does not wait. Where a signal was ignored before, as in the
processes of a team, it asks for a checkpoint and nothing else.
"""

import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any

WARNING = signal.SIGUSR2  # that the time is nearly up
SIGNALS = (signal.SIGTERM, WARNING)
_asked = threading.Event()


def request_checkpoint() -> None:
    """Ask the cell that is trained in this process to write a checkpoint after the present step, and to go on.

    For launchers that do not speak in signals; may be called from any thread.
    """
    _asked.set()


class Interruption:
    """What has been asked of the present training."""

    def __init__(self) -> None:
        self._before: dict[int, Any] = {}  # the handlers that were there
        self._waiting: int | None = None

    def wanted(self) -> bool:
        """Whether a checkpoint is asked for; a request counts once."""
        asked = _asked.is_set()
        _asked.clear()
        return asked or self.is_waiting

    @property
    def is_waiting(self) -> bool:
        """Whether a signal waits to take its course."""
        return self._waiting is not None

    def give_way(self) -> None:
        """Let a signal that waits take its course."""
        if self._waiting is not None:
            number, self._waiting = self._waiting, None
            self._restore()
            signal.raise_signal(number)

    def _wait(self, number: int, frame: FrameType | None) -> None:
        if self._before[number] == signal.SIG_IGN:
            request_checkpoint()
            return
        second, self._waiting = self._waiting is not None, number
        if second:
            self.give_way()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()

    @contextmanager
    def put_off(self, signals: Sequence[signal.Signals] = SIGNALS) -> Iterator[None]:
        """Within the block, signals wait for `give_way`; without effect outside the main thread."""
        if threading.current_thread() is threading.main_thread():
            for number in signals:
                self._before[number] = signal.signal(number, self._wait)
        try:
            yield
        finally:
            self._restore()
            self.give_way()
