"""Progress on the terminal: bars where somebody watches, one line per finished cell where nobody does."""

from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import TypeAlias

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.text import Text

from bench.configuration.cell import Cell
from bench.records.schema import Record, Status
from bench.sweeping.cost import Costs, Remaining
from bench.system.console import PlainConsole

COLOURS = {Status.done: "green", Status.failed: "red", Status.out_of_memory: "yellow", Status.unsupported: "yellow"}
Key: TypeAlias = str


class CellProgress:
    """Shows the cells that run now, how many are finished and how long the rest will take; a context manager."""

    def __init__(
        self, cells: int, console: Console | None = None, costs: Costs | None = None, workers: int = 1
    ) -> None:
        self._console = console or PlainConsole(stderr=True)
        self._total, self._finished = cells, 0
        self._remaining, self._workers = Remaining(costs or Costs()), workers
        self._failures: list[str] = []
        self._bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}", markup=False),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._tasks: dict[Key, TaskID] = {}
        self._overall = self._bars.add_task("cells", total=cells, note="", visible=cells > 1)

    def __enter__(self) -> "CellProgress":
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bars.stop()

    def expect(self, cell: Cell) -> None:
        """Count a cell's cost into the remaining time until it is finished."""
        self._remaining.add(cell)

    def update(self, cell: Key, phase: str, step: int, total: int, loss: float | None) -> None:
        """Show where a running cell is."""
        if cell not in self._tasks:
            self._tasks[cell] = self._bars.add_task(cell, total=total, note="")
        note = phase if loss is None else f"loss {loss:.3f}"
        self._bars.update(self._tasks[cell], completed=step, total=total, note=note)

    def say(self, line: str) -> None:
        """Print a line above the bars."""
        self._console.print(line, highlight=False, markup=False, soft_wrap=True)

    def postpone(self, cell: Key, reason: str) -> None:
        """Take a cell's bar away and say why it comes later."""
        self._forget(cell)
        self.say(f"later: {reason}")

    def finish(self, cell: Key, record: Record, log: Path | None = None) -> None:
        """Take a cell's bar away and print its result in one line."""
        self._forget(cell)
        self._finished += 1
        self._remaining.remove(cell, record.time.total if record.status == Status.done else None)
        left = self._left()
        self._bars.update(self._overall, completed=self._finished, note=left)
        if record.status in (Status.failed, Status.out_of_memory):
            where = f"\n    log: {log}" if log is not None else ""
            self._failures.append(f"  {record.status} {cell}  {_outcome(record)}{where}")
        line = Text(f"[{self._finished}/{self._total}] ").append(record.status, style=COLOURS[record.status])
        line.append(f" {cell}  {_outcome(record)}")
        if left and not self._console.is_terminal:
            line.append(f"  {left}")
        self._console.print(line, highlight=False, soft_wrap=True)

    def summarise(self) -> None:
        """List the cells that failed, each with its log."""
        if self._failures:
            self.say("\n".join([f"{len(self._failures)} of {self._total} cells failed:", *self._failures]))

    def _forget(self, cell: Key) -> None:
        if cell in self._tasks:
            self._bars.remove_task(self._tasks.pop(cell))

    def _left(self) -> str:
        """The remaining time, as far as it can be judged."""
        seconds = self._remaining.seconds()
        return "" if seconds is None else f"about {timedelta(seconds=round(seconds / self._workers))} left"


def _outcome(record: Record) -> str:
    if record.status == Status.done and record.metrics is not None:
        seconds = f"{record.time.total:.1f} s" if record.time.total is not None else ""
        score = record.metrics.values.get(record.metrics.main)  # none on synthetic data
        return seconds if score is None else f"{record.metrics.main} {score:.4g}  {seconds}"
    if record.error is None:
        return ""
    lines = record.error.message.strip().splitlines()
    return f"{record.error.type}: {lines[0] if lines else ''}"
