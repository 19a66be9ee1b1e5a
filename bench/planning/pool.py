"""Predictions in several processes: this one predicts too, others take what it has not begun yet.

A process beside this one first has to import torch and transformers, which takes about as long as a few predictions; it
is started before this one does the same (this module is free of torch). Nobody waits for it meanwhile, and at the end
it is not waited for either; concurrent.futures would do both.
"""

import importlib
import signal
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
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
        others: "Sequence[Other]" = (),
        begins: Callable[[Cell], None] = lambda _: None,
    ) -> None:
        """Start nothing yet.

        Args:
            cells: by key.
            predict: what to do with each; other processes import it by its name.
            others: processes beside this one, see `beside`.
            begins: called before each prediction, not always from the same thread.
        """
        self._predict, self._begins = predict, begins
        self._pending = OrderedDict(cells)
        self._begun: set[str] = set()
        self._known: dict[str, T | BaseException] = {}
        self._changed = Condition()
        self._others = others
        self._threads = [Thread(target=self._hand_out, args=(other,), daemon=True) for other in others]

    def __enter__(self) -> "Predictions[T]":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for other, thread in zip(self._others, self._threads, strict=True):
            other.stop()
            thread.join()

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

    def _hand_out(self, other: "Other") -> None:
        job = None
        try:
            other.pipe.recv()  # it is ready
            while (job := self.take()) is not None:
                other.pipe.send((self._predict, job[1]))
                self.put(job[0], other.pipe.recv())
        except (EOFError, OSError):  # it died
            if job is not None:
                self.give_back(*job)


class Other:
    """A process beside this one, which does what it is sent. Attributes: pipe, to it."""

    def __init__(self, module: str) -> None:
        """Start it.

        Args:
            module: that it imports before it says that it is ready.
        """
        # Not a fork: the caller may run threads (a progress bar, and those here).
        context = get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, module), daemon=True)
        self._process.start()
        theirs.close()

    def stop(self) -> None:
        """End it, whatever it is at; it may have ended."""
        self._process.terminate()
        self._process.join()


@contextmanager
def beside(predictions: int, workers: int, module: str) -> Iterator[list[Other]]:
    """Processes beside this one for so many predictions, as far as they are worth their start; ended behind the block.

    Args:
        predictions: how many there will be.
        workers: how many processes there may be, this one included.
        module: whose function predicts.
    """
    others: list[Other] = []
    try:
        for _ in range(min(workers, MOST, -(-predictions // WORTH)) - 1):
            others.append(Other(module))
        yield others
    finally:
        for other in others:
            other.stop()


def _serve(pipe: Connection, module: str) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who started it ends it
    try:
        importlib.import_module(module)
        pipe.send(True)
        while True:
            pipe.send(_outcome(*pipe.recv()))
    except (EOFError, OSError):  # nobody is there any more
        return


def _outcome(predict: Callable[[Cell], T], cell: Cell) -> T | BaseException:
    try:
        return predict(cell)
    except Exception as error:
        return error
