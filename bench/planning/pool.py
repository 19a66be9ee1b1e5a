"""Predictions in several processes: this one predicts too, others take what it has not begun yet.

A process beside this one first has to import torch and transformers, which takes about as long as a few predictions.
Nobody waits for it meanwhile, and at the end it is not waited for either; concurrent.futures would do both.
"""

import signal
from collections import OrderedDict
from collections.abc import Callable, Mapping
from multiprocessing import get_context
from multiprocessing.connection import Connection
from threading import Condition, Thread
from types import TracebackType
from typing import Generic, TypeVar

from bench.configuration.cell import Cell

T = TypeVar("T")
WORTH = 4  # predictions, from which on another process is worth its start
MOST = 8  # processes; each takes some 0.7 GB


class Predictions(Generic[T]):
    """What is predicted for each of several cells, by their keys; a context manager.

    Cells are begun in their order, by whichever process is free.
    """

    def __init__(
        self,
        cells: Mapping[str, Cell],
        predict: Callable[[Cell], T],
        workers: int = 1,
        begins: Callable[[Cell], None] = lambda _: None,
    ) -> None:
        """Start nothing yet.

        Args:
            cells: by key.
            predict: what to do with each; other processes import it by its name.
            workers: how many processes, this one included; fewer are used where more would not be worth their start.
            begins: called before each prediction, not always from the same thread.
        """
        self._predict, self._begins = predict, begins
        self._pending = OrderedDict(cells)
        self._begun: set[str] = set()
        self._known: dict[str, T | BaseException] = {}
        self._changed = Condition()
        self._others = [_Other(self, predict) for _ in range(min(workers, MOST, -(-len(cells) // WORTH)) - 1)]

    def __enter__(self) -> "Predictions[T]":
        for other in self._others:
            other.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for other in self._others:
            other.stop()

    def of(self, key: str, cell: Cell) -> T:
        """What is predicted for a cell; one that was not among those given at the start is predicted here.

        Raises:
            Exception: what the prediction raised, wherever it was made.
        """
        with self._changed:
            if key not in self._begun:
                self._pending.setdefault(key, cell)
        while key not in self._known:
            if (job := self.take()) is not None:
                self.put(job[0], _outcome(self._predict, job[1]))
                continue
            with self._changed:
                self._changed.wait_for(lambda: key in self._known or self._pending)
        found = self._known[key]
        if isinstance(found, BaseException):
            raise found
        return found

    def take(self) -> tuple[str, Cell] | None:
        """The next one that nobody has begun, with its key."""
        with self._changed:
            if not self._pending:
                return None
            key, cell = self._pending.popitem(last=False)
            self._begun.add(key)
        self._begins(cell)
        return key, cell

    def put(self, key: str, outcome: T | BaseException) -> None:
        """It is known."""
        with self._changed:
            self._known[key] = outcome
            self._changed.notify_all()

    def give_back(self, key: str, cell: Cell) -> None:
        """It has to be begun again, before all others."""
        with self._changed:
            self._begun.discard(key)
            self._pending[key] = cell
            self._pending.move_to_end(key, last=False)
            self._changed.notify_all()


class _Other(Generic[T]):
    """A process beside this one, and the thread that hands it one cell after the other."""

    def __init__(self, predictions: Predictions[T], predict: Callable[[Cell], T]) -> None:
        # Not a fork: the caller runs threads (a progress bar, and those here).
        context = get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._theirs = theirs
        self._process = context.Process(target=_serve, args=(theirs, predict), daemon=True)
        self._thread = Thread(target=self._hand_out, args=(predictions,), daemon=True)

    def start(self) -> None:
        """Start both."""
        self._process.start()
        self._theirs.close()
        self._thread.start()

    def stop(self) -> None:
        """End both, whatever they are at."""
        self._process.terminate()
        self._process.join()
        self._thread.join()

    def _hand_out(self, predictions: Predictions[T]) -> None:
        job = None
        try:
            self._pipe.recv()  # it is ready
            while (job := predictions.take()) is not None:
                self._pipe.send(job[1])
                predictions.put(job[0], self._pipe.recv())
        except (EOFError, OSError):  # it died
            if job is not None:
                predictions.give_back(*job)


def _serve(pipe: Connection, predict: Callable[[Cell], T]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who started it ends it
    try:
        pipe.send(True)
        while True:
            pipe.send(_outcome(predict, pipe.recv()))
    except (EOFError, OSError):  # nobody is there any more
        return


def _outcome(predict: Callable[[Cell], T], cell: Cell) -> T | BaseException:
    try:
        return predict(cell)
    except Exception as error:
        return error
