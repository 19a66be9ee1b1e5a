"""The figure of equal sizes: score against what a method keeps."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from bench.tables.definition.table import Block, Column, Row, Table
from bench.tables.figures.labels import label_ends
from bench.tables.figures.plots import (
    COLOURS,
    MARKERS,
    axes_of,
    coloured,
    finite,
    height_for,
    main_score,
    score_words,
    short,
)
from bench.tables.formats.numbers import count_text

BUDGET = "method.budget"
Point = tuple[float, float, float]  # kept values, score, its deviation over seeds


def budgets(table: Table, block: Block) -> Figure | None:
    """Score against kept values on a log axis, a line per method over its budgets; hollow: the method's own size."""
    column = main_score(table)
    if column is None or BUDGET not in table.row_keys or not any(item.key == "kept" for item in table.columns):
        return None
    place = table.row_keys.index(BUDGET)
    lines: dict[str, list[Point]] = {}
    own: dict[str, Point] = {}
    for row in block.rows:
        if (point := _point(row, column)) is not None:
            if row.keys[place] in ("None", "null", ""):
                own[row.title] = point
            else:
                lines.setdefault(row.title, []).append(point)
    if not any(len(points) > 1 for points in lines.values()):
        return None
    figure, axes = axes_of(table, block, height=height_for(len(lines)))
    axes.set_xscale("log")
    for at, (title, points) in enumerate(lines.items()):
        _draw(axes, at, sorted(points), own.get(title))
    axes.xaxis.set_major_formatter(lambda value, _: count_text(value).replace(".00", "").replace(".0", ""))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("values kept, without the task head (hollow: the method's own size)")
    axes.set_ylabel(score_words(column))
    ends = [(short(title), *max(points)[:2]) for title, points in lines.items()]
    label_ends(axes, coloured(ends))
    return figure


def _draw(axes: Axes, at: int, points: list[Point], own: Point | None) -> None:
    x, y, bars = (list(values) for values in zip(*points, strict=True))
    colour, marker = COLOURS[at % len(COLOURS)], MARKERS[at % len(MARKERS)]
    axes.errorbar(x, y, yerr=bars, color=colour, marker=marker, ms=4, lw=1, capsize=2)
    if own is not None:
        axes.errorbar(
            own[0], own[1], yerr=own[2], color=colour, marker=marker, ms=6, mfc="none", ls="none", capsize=2
        )  # fmt: skip


def _point(row: Row, column: Column) -> Point | None:
    kept, score = row.entries["kept"], row.entries[column.key]
    x, y = finite(kept), finite(score)
    return (x, y, score.deviation or 0.0) if x and x > 0 and y is not None else None
