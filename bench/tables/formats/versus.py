"""A comparison of methods as text, Markdown, JSON or CSV."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict

from rich import box
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from bench.tables.content.versus import Comparison, Difference, Interval
from bench.tables.definition.table import one_line
from bench.tables.formats.markdown import escape

Grid = list[list[str]]  # the first row is the header
CSV_HEADER = (
    "block", "method", "task", "seeds", "mean", "iqm", "low", "high", "against", "difference", "difference_low",
    "difference_high", "p_value", "p_corrected", "improvement", "letters",
)  # fmt: skip


def render_comparison(found: Sequence[Comparison], console: Console) -> None:
    """Print it."""
    for one in found:
        for grid in _grids(one):
            header, *rows = grid
            shown = RichTable(box=box.SIMPLE, pad_edge=False)
            for at, title in enumerate(header):
                shown.add_column(Text(title), justify="left" if at == 0 else "right")
            for row in rows:
                shown.add_row(*map(Text, row))
            console.print(shown)
        for note in one.notes:
            console.print(f"  {note}", markup=False, highlight=False)


def comparison_to_markdown(found: Sequence[Comparison]) -> str:
    """A heading and two tables for each model, and the notes as a list."""
    lines = []
    for one in found:
        lines += [f"### {escape(one.block)}", ""]
        for grid in _grids(one):
            header, *rows = ([escape(cell) for cell in row] for row in grid)
            lines += [_line(header), _line([":---", *["---:"] * (len(header) - 1)]), *map(_line, rows), ""]
        lines += [*(f"- {escape(note)}" for note in one.notes), ""]
    return "\n".join(lines)


def comparison_to_json(found: Sequence[Comparison]) -> str:
    """`{"comparisons": […]}`, as `bench.tables.content.versus.Comparison` has it."""
    return json.dumps({"comparisons": [asdict(one) for one in found]}, indent=1, ensure_ascii=False)


def comparison_to_csv(found: Sequence[Comparison]) -> str:
    """A line for each method, and one for each of its tasks, `CSV_HEADER`."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CSV_HEADER)
    for one in found:
        for standing in one.standings:
            named = [one_line(one.block), one_line(standing.method)]
            whole = [standing.seeds, standing.mean, standing.iqm, *(standing.interval or ("", ""))]
            writer.writerow([*named, "", *whole, one.against, *_plain(standing.against), standing.improvement,
                             standing.letters])  # fmt: skip
            for task, difference in standing.tasks.items():
                writer.writerow([*named, one_line(task), difference.seeds, "", "", "", "", one.against,
                                 *_plain(difference), "", ""])  # fmt: skip
    return text.getvalue()


def _grids(one: Comparison) -> list[Grid]:
    ranked = any(standing.rank is not None for standing in one.standings)
    header = [one_line(one.block), "mean", "IQM", f"− {one.against}", "p", "better in", "tied", "seeds"]
    overall: Grid = [header + ["rank"] * ranked]
    for standing in one.standings:
        better = "" if standing.improvement is None else f"{standing.improvement:.0%}"
        rank = [] if not ranked else ["" if standing.rank is None else f"{standing.rank:.1f}"]
        overall.append([
            one_line(standing.title), _number(standing.mean), f"{_number(standing.iqm)}{_interval(standing.interval)}",
            _difference(standing.against), _p_value(standing.against), better, standing.letters, str(standing.seeds),
            *rank,
        ])  # fmt: skip
    by_task: Grid = [[f"− {one.against}", *map(one_line, one.tasks)]]
    by_task += [
        [one_line(standing.title), *(_difference(standing.tasks[task]) for task in one.tasks)]
        for standing in one.standings if standing.tasks
    ]  # fmt: skip
    return [overall, by_task] if len(by_task) > 1 else [overall]


def _difference(found: Difference | None) -> str:
    if found is None:
        return ""
    sign = "+" if found.value > 0 else ""
    return f"{sign}{_number(found.value)}{_interval(found.interval)}" if found.seeds else "—"


def _interval(found: Interval) -> str:
    return "" if found is None else f" [{_number(found[0])}, {_number(found[1])}]"


def _p_value(found: Difference | None) -> str:
    if found is None or found.corrected is None:
        return ""
    return "<0.001" if found.corrected < 0.001 else f"{found.corrected:.3f}"


def _plain(found: Difference | None) -> list[float | str]:
    if found is None:
        return [""] * 5
    numbers = [found.p_value, found.corrected]
    return [found.value, *(found.interval or ("", "")), *("" if number is None else number for number in numbers)]


def _number(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
