"""One tracker in a thread of its own, so that nothing of what it does, or does not do, ends or holds up the cell."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from queue import SimpleQueue
from threading import Event, Thread
from typing import TypeAlias

import numpy as np
from accelerate.tracking import GeneralTracker

Make: TypeAlias = Callable[[], GeneralTracker]
Action: TypeAlias = Callable[[GeneralTracker], None]


@dataclass
class Job:
    """Something for the tracker to do; `error` is what came of it, once it is `done`."""

    action: Action
    done: Event = field(default_factory=Event)
    error: BaseException | None = None


class Guarded:
    """A tracker that is waited for so long and no longer; after its first fault it is asked for nothing more.

    Attributes:
        name: as the user calls it.
        problem: its fault, in a line; None: none so far.
        seconds: that the cell has waited for it.
        calls: that it has answered.
    """

    def __init__(self, name: str, make: Make) -> None:
        """Create the thread, not the tracker, which is made in it by the first job."""
        self.name = name
        self.problem: str | None = None
        self.seconds, self.calls = 0.0, 0
        self._make = make
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        # A daemon: one that hangs for ever does not keep the process from ending.
        self._thread = Thread(target=self._work, name=f"tracker {name}", daemon=True)
        self._thread.start()

    def ask(self, moment: str, action: Action, patience: float) -> None:
        """Have the tracker do something, and wait for it.

        Args:
            moment: for the message, "at its start".
            action: what it is to do.
            patience: seconds to wait at most.
        """
        if self.problem is not None:
            return
        job, begin = Job(action), time.perf_counter()
        with _same_draws():
            self._jobs.put(job)
            is_done = job.done.wait(patience)
        self.seconds += time.perf_counter() - begin
        if not is_done:
            self.problem = f"has not answered {moment} within {patience:g} s"
        elif job.error is not None:
            said = " ".join(str(job.error).split())
            self.problem = f"failed {moment} ({type(job.error).__name__}: {said[:300]})"
        else:
            self.calls += 1

    def end(self) -> None:
        """Let the thread end when it has nothing more to do."""
        self._jobs.put(None)

    def _work(self) -> None:
        tracker: GeneralTracker | None = None
        while (job := self._jobs.get()) is not None:
            try:
                tracker = tracker or self._make()
                job.action(tracker)
            except BaseException as error:  # a library's SystemExit too: it is the tracker's affair alone
                job.error = error
            job.done.set()


@contextmanager
def _same_draws() -> Iterator[None]:
    """Give back the random numbers that a tracker draws, as for the name of a run: no cell may depend on it."""
    python, numpy = random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
