"""What a search over mixtures ends in: its Pareto front, beside what each method's best trial reaches."""

from collections.abc import Iterator, Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.system.console import print_whole
from bench.tables.formats.numbers import count_text, number_text
from bench.tuning.bought import together
from bench.tuning.front import figures_of, on_front
from bench.tuning.result import Outcome, Result

MEGABYTES = 1e6
NOTE = (
    "front: no other trial of the model and task keeps as little, peaks as low (to a hundredth) and scores as high, "
    "and is better in one of these; scores on the selection data; trainings and device-seconds are of the whole search"
)


def show_front(results: Sequence[Result], console: Console) -> None:
    """Print the trials on the front and the best of every method; nothing where no mixture was among the trials."""
    if not any(figures_of(one.record).mixed for result in results for one in result.outcomes):
        return
    front = on_front(results)
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False, show_edge=False)
    for name in ("Model", "Task", "Method", "Made of"):
        table.add_column(name, no_wrap=True)
    for name in ("Trial", "Kept", "Peak MB", "Score", "Best", "Front", "Trainings", "Device s"):
        table.add_column(name, justify="right", no_wrap=True)
    for group in together(results).values():
        for result in group:
            for one in _shown(result, front):
                table.add_row(*map(Text, _row(result, one, is_on=(result.study.name, one.number) in front)))
    console.print()
    print_whole(table, console)
    console.print(Text(f"  {NOTE}", style="dim"), soft_wrap=True)


def _shown(result: Result, front: set[tuple[str, int]]) -> Iterator[Outcome]:
    """A study's trials on the front, and its best, by what they keep."""
    wanted = [one for one in result.scored if (result.study.name, one.number) in front or one == result.best]
    yield from sorted(wanted, key=lambda one: (figures_of(one.record).kept or 0.0, one.number))


def _row(result: Result, one: Outcome, *, is_on: bool) -> list[str]:
    cell, told = result.study.cell, figures_of(one.record)
    kept = "—" if told.kept is None else count_text(told.kept)
    peak = "—" if told.train_peak is None else number_text(told.train_peak / MEGABYTES, "MB", 1)
    marks = ["yes" if is_it else "" for is_it in (one == result.best, is_on)]
    cost = [f"{result.trainings:.3g}", f"{result.device_seconds:.4g}"]
    made_of = [cell.model, cell.task, cell.method, told.title, str(one.number)]
    return [*made_of, kept, peak, f"{one.score:.4f}", *marks, *cost]
