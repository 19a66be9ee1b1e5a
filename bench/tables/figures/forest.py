"""The figure of an ablation: what each component does, with its interval."""

from matplotlib.figure import Figure

from bench.tables.definition.table import Block, Table
from bench.tables.figures.plots import COLOURS, axes_of, finite, main_score, score_words, short
from bench.tables.formats.numbers import number_text
from bench.tables.statistics.aggregate import LEVEL

LINE = 0.22  # inches, a component


def forest(table: Table, block: Block) -> Figure | None:
    """A line per component: the effect and its interval over seeds; filled where that tells it from 0."""
    column = main_score(table)
    if column is None or all(finite(row.entries[column.key]) is None for row in block.rows):
        return None
    figure, axes = axes_of(table, block, height=1.0 + LINE * len(block.rows))
    axes.axvline(0, color="0.6", lw=0.8, zorder=1)
    ends = []
    for at, row in enumerate(block.rows):
        entry = row.entries[column.key]
        value = finite(entry)
        if value is None:
            continue
        low, high = entry.interval or (value, value)
        colour = COLOURS[0] if row.category == block.rows[0].category else COLOURS[1]
        marker = "o" if row.category == block.rows[0].category else "D"
        sure = entry.p_value is not None and entry.p_value < 1 - LEVEL
        axes.plot([low, high], [at, at], color=colour, lw=1, zorder=2)
        axes.plot(value, at, marker, color=colour, ms=4, mfc=colour if sure else "white", zorder=3)
        ends.append((at, high, number_text(value, column.unit, column.digits)))
    for at, high, words in ends:
        axes.annotate(words, (high, at), (4, 0), textcoords="offset points", va="center", fontsize=6)
    axes.set_yticks(range(len(block.rows)), [short(row.title) for row in block.rows])
    axes.set_ylim(len(block.rows) - 0.4, -0.6)  # from top to bottom
    axes.margins(x=0.15)
    axes.set_xlabel(f"{score_words(column)}: with it minus without it")
    return figure
