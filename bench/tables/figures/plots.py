"""What each figure draws: score against parameters, memory in its parts, curves, and learning rates."""

import math

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import NullFormatter

from bench.records.fields import CURVE
from bench.tables.definition.table import Block, Column, Entry, Row, Table, main_column
from bench.tables.figures.labels import label_ends, label_points
from bench.tables.formats.numbers import STATUS_TEXT, count_text, entry_text
from bench.tables.formats.text import row_label
from bench.tables.statistics.pareto import pareto_front

# Okabe and Ito's colours, without their yellow: too pale for text.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
DASHES = ("-", "--", "-.", ":")
WHOLE = "0.65"  # the grey of a bar that is not split
WIDTH = 3.5  # inches, a column
LONGEST = 36  # characters of a label
PARTS = ("frozen_weights", "trainable_weights", "gradients", "optimiser_state", "activations", "rest")
RATE = "training.learning_rate"


def score_against_parameters(table: Table, block: Block) -> Figure | None:
    """The average (or only) score against trainable parameters on a log axis, with the Pareto front as a line."""
    column = main_score(table)
    if column is None or not any(item.key == "trainable" for item in table.columns):
        return None
    points = [
        (short(row_label(row)), x, y)
        for row in block.rows
        if (x := finite(row.entries["trainable"])) and (y := finite(row.entries[column.key])) is not None
    ]
    if len(points) < 2:
        return None
    figure, axes = axes_of(table, block, height=height_for(len(points)))
    axes.set_xscale("log")
    front = pareto_front([(x, y) for _, x, y in points], column.better == "higher")
    axes.step([x for x, _ in front], [y for _, y in front], where="post", color="0.6", lw=1, zorder=1)
    for at, (_, x, y) in enumerate(points):
        axes.plot(x, y, MARKERS[at % len(MARKERS)], color=COLOURS[at % len(COLOURS)], ms=4, zorder=3)
    axes.xaxis.set_major_formatter(lambda value, _: count_text(value).replace(".00", "").replace(".0", ""))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("trainable parameters (line: Pareto front)")
    axes.set_ylabel(score_words(column))
    label_points(axes, coloured(points))
    return figure


def memory_parts(table: Table, block: Block) -> Figure | None:
    """Peak memory of training: the parts stacked, a bar per row.

    A row whose parts are unknown has one grey bar; one without a peak says why (OOM, failed, —).
    """
    column = next((column for column in table.columns if column.key == "train_peak"), None)
    if column is None or not any(finite(row.entries["train_peak"]) for row in block.rows):
        return None
    rows = block.rows
    figure, axes = axes_of(table, block, height=max(1.6, 1.0 + 0.2 * len(rows)))
    split = [_parts(row) for row in rows]
    for at, (row, parts) in enumerate(zip(rows, split, strict=True)):
        peak = row.entries["train_peak"]
        left = 0.0
        for colour, size in zip(COLOURS, parts or (), strict=False):
            axes.barh(at, size, left=left, color=colour, edgecolor="white", lw=0.4, height=0.7)
            left += size
        if not parts and (whole := finite(peak)):
            left = whole
            axes.barh(at, whole, color=WHOLE, edgecolor="white", lw=0.4, height=0.7)
        words = entry_text(peak, column, table.seeds) if peak.value is not None else STATUS_TEXT[peak.status]
        axes.text(left, at, f" {words}", va="center")
    axes.set_yticks(range(len(rows)), [short(row_label(row)) for row in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)  # from top to bottom, those without a bar too
    axes.margins(x=0.12)
    axes.set_xlim(left=0)
    axes.set_xlabel(f"peak memory of training, {column.unit}")
    if any(split):
        names = {part.replace("_", " "): colour for part, colour in zip(PARTS, COLOURS, strict=False)}
        if not all(parts or row.entries["train_peak"].value is None for row, parts in zip(rows, split, strict=True)):
            names["not split"] = WHOLE
        _legend(figure, names)
    return figure


def curves(table: Table, block: Block) -> Figure | None:
    """The main metric along training, mean over seeds, a line per row labelled at its end."""
    if not any(column.key in CURVE for column in table.columns):
        return None
    cells = table.records.cells
    lines = []
    for row in block.rows:
        paths = {path for entry in row.entries.values() for path in entry.records}
        points = [point for curve in cells.loc[cells["path"].isin(paths), "curve"] for point in curve]
        frame = pd.DataFrame(points, columns=["step", "value"]).dropna().groupby("step")["value"].mean()
        if len(frame) > 1:
            lines.append((short(row_label(row)), frame))
    if not lines:
        return None
    figure, axes = axes_of(table, block, height=height_for(len(lines)))
    for at, (_, frame) in enumerate(lines):
        axes.plot(frame.index, 100 * frame, DASHES[at % len(DASHES)], color=COLOURS[at % len(COLOURS)], lw=1)
    axes.set_xlabel("optimizer steps")
    axes.set_ylabel("dev score × 100")
    ends = [(title, float(frame.index[-1]), 100 * float(frame.iloc[-1])) for title, frame in lines]
    label_ends(axes, coloured(ends))
    return figure


def learning_rates(table: Table, block: Block) -> Figure | None:
    """Score against the learning rate on a log axis, a line per method, with the deviation over seeds as bars."""
    column = main_score(table)
    if column is None or RATE not in table.row_keys:
        return None
    place = table.row_keys.index(RATE)
    lines: dict[str, list[tuple[float, float, float]]] = {}
    for row in block.rows:
        entry, rate = row.entries[column.key], _positive(row.keys[place])
        value = finite(entry)
        if value is not None and rate is not None:
            lines.setdefault(_without_rate(row, place), []).append((rate, value, entry.deviation or 0.0))
    if not any(len(points) > 1 for points in lines.values()):
        return None
    figure, axes = axes_of(table, block, height=height_for(len(lines)))
    axes.set_xscale("log")
    for at, points in enumerate(lines.values()):
        x, y, bars = (list(values) for values in zip(*points, strict=True))
        colour, marker = COLOURS[at % len(COLOURS)], MARKERS[at % len(MARKERS)]
        axes.errorbar(x, y, yerr=bars, color=colour, marker=marker, ms=4, lw=1, capsize=2)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("learning rate")
    axes.set_ylabel(score_words(column))
    ends = [(short(title), points[-1][0], points[-1][1]) for title, points in lines.items()]
    label_ends(axes, coloured(ends))
    return figure


def main_score(table: Table) -> Column | None:
    """The column that stands for the whole: the average, else the first score."""
    return main_column(table.columns)


def score_words(column: Column) -> str:
    """The axis of a score; one that is better below says so."""
    return f"{column.group} {column.title}".strip() + (" (lower is better)" if column.better == "lower" else "")


def _parts(row: Row) -> list[float]:
    """The parts of the row's peak in their order; empty where one of them is unknown."""
    sizes = [finite(row.entries[part]) if part in row.entries else None for part in PARTS]
    return [size for size in sizes if size is not None] if None not in sizes else []


def _without_rate(row: Row, place: int) -> str:
    """The row's label without its learning rate, which is on the axis."""
    rate = f"{RATE.rpartition('.')[2]}={row.keys[place]}"
    rest = ", ".join(part for part in row.variant.split(", ") if part != rate)
    return f"{row.title} ({rest})" if rest else row.title


def short(label: str) -> str:
    """A label that leaves room for the figure."""
    return label if len(label) <= LONGEST else f"{label[: LONGEST - 1]}…"


def _legend(figure: Figure, words: dict[str, str]) -> None:
    """Names of the parts in their order from left to right, below the figure, as wide as a column at most."""
    columns = 3
    names = [name for start in range(columns) for name in [*words][start::columns]]  # matplotlib fills columns first
    handles = [Patch(color=words[name], label=name) for name in names]
    figure.legend(
        handles=handles, loc="outside lower center", ncols=columns, fontsize=6, frameon=False, handlelength=0.9,
        handleheight=0.9, columnspacing=1.2, handletextpad=0.5,
    )  # fmt: skip


def height_for(names: int) -> float:
    """Inches; more where many names need room."""
    return max(2.4, 0.14 * names)


def axes_of(table: Table, block: Block, height: float) -> tuple[Figure, Axes]:
    """A figure as wide as a column, under the block's title."""
    figure = Figure(figsize=(WIDTH, height), layout="constrained", dpi=200)
    axes = figure.add_subplot()
    miniature = "" if "miniature" in block.title or not table.miniature else "miniature: "
    axes.set_title(f"{miniature}{block.title}", loc="left")
    return figure, axes


def coloured(points: list[tuple[str, float, float]]) -> list[tuple[str, float, float, str]]:
    """Points with the colours that they are drawn in."""
    return [(title, x, y, COLOURS[at % len(COLOURS)]) for at, (title, x, y) in enumerate(points)]


def finite(entry: Entry) -> float | None:
    """An entry's number, if it has one."""
    return entry.value if entry.value is not None and math.isfinite(entry.value) else None


def _positive(text: str) -> float | None:
    """A number for a log axis; None for the text of a setting that is none."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if 0 < number < math.inf else None
