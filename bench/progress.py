"""Progress on the terminal: bars where somebody watches, one line per finished cell where nobody does."""

from types import TracebackType
from typing import TypeAlias

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from bench.records.schema import Record, Status

COLOURS = {Status.done: "green", Status.failed: "red", Status.out_of_memory: "yellow", Status.unsupported: "yellow"}
Key: TypeAlias = str


class CellProgress:
    """Shows the cells that run now and how many are finished; a context manager."""

    def __init__(self, cells: int, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        self._total, self._finished = cells, 0
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
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

    def update(self, cell: Key, phase: str, step: int, total: int, loss: float | None) -> None:
        """Show where a running cell is."""
        if cell not in self._tasks:
            self._tasks[cell] = self._bars.add_task(cell, total=total, note="")
        note = phase if loss is None else f"loss {loss:.3f}"
        self._bars.update(self._tasks[cell], completed=step, total=total, note=note)

    def say(self, line: str) -> None:
        """Print a line above the bars."""
        self._console.print(line, highlight=False, markup=False, soft_wrap=True)

    def finish(self, cell: Key, record: Record) -> None:
        """Take a cell's bar away and print its result in one line."""
        if cell in self._tasks:
            self._bars.remove_task(self._tasks.pop(cell))
        self._finished += 1
        self._bars.update(self._overall, completed=self._finished)
        colour = COLOURS[record.status]
        self._console.print(
            f"[{self._finished}/{self._total}]".replace("[", r"\[") + f" [{colour}]{record.status}[/] {cell}  "
            f"{_outcome(record)}",
            highlight=False,
            soft_wrap=True,
        )


def _outcome(record: Record) -> str:
    if record.status == Status.done and record.metrics is not None:
        seconds = f"{record.time.total:.1f} s" if record.time.total is not None else ""
        score = record.metrics.values.get(record.metrics.main)  # none on synthetic data
        return seconds if score is None else f"{record.metrics.main} {score:.4g}  {seconds}"
    return f"{record.error.type}: {record.error.message}" if record.error is not None else ""
