"""How far a plan is: a bar where somebody watches, one line per prediction where nobody does."""

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from bench.cli.plan_view import name_of, scale_of, size_text
from bench.configuration.cell import Cell
from bench.planning.plan import PlannedCell
from bench.system.console import PlainConsole


class PlanProgress:
    """Shows which cell is being predicted, and how many are done; a context manager."""

    def __init__(self, cells: int, console: Console | None = None) -> None:
        """Create it.

        Args:
            cells: of the plan; of a single one only the bar is shown.
            console: where to; standard error if not given, whose output is not part of the plan.
        """
        self._console = console or PlainConsole(stderr=True)
        self._cells = cells
        self._done = 0
        self._predicted: set[str] = set()
        self._bar = Progress(
            SpinnerColumn(), TextColumn("planning"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
            TextColumn("{task.description}", markup=False), console=self._console, transient=True,
            disable=not self._console.is_terminal,
        )  # fmt: skip
        self._task = self._bar.add_task("", total=cells)

    def __enter__(self) -> "PlanProgress":
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bar.stop()

    def predicting(self, cell: Cell) -> None:
        """A prediction begins: of a cell, or of one with settings that might help it to fit."""
        self._predicted.add(cell.id)
        self._bar.update(self._task, description=name_of(cell))

    def finish(self, planned: PlannedCell) -> PlannedCell:
        """Count a cell as planned, and return it."""
        self._done += 1
        self._bar.update(self._task, completed=self._done)
        known = planned.prediction
        # What was known from a cell before it, and what cannot be predicted, is told below the plan's table.
        is_new = planned.cell.id in self._predicted
        if known is not None and is_new and self._cells > 1 and not self._console.is_terminal:
            scale = scale_of(known.peak)
            size = f"{size_text(known.peak, scale)} {scale.unit}"
            line = f"[{self._done}/{self._cells}] {name_of(planned.cell)}  {size}"
            self._console.print(line, highlight=False, markup=False, soft_wrap=True)
        return planned
