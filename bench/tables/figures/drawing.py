"""Figures of a table's records, with matplotlib: legible at the width of a paper's column, and without colour.

Points and lines are labelled where they are; only the parts of a bar have a legend. Colours are Okabe and Ito's, which
the colour-blind tell apart (https://jfly.uni-koeln.de/color/); markers, line styles and the order in a bar repeat what
colours say.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from bench.system.links import own_file
from bench.tables.definition.table import Block, Table
from bench.tables.figures.budgets import budgets
from bench.tables.figures.fonts import families, missing_glyphs_told
from bench.tables.figures.forest import forest
from bench.tables.figures.plots import curves, learning_rates, main_score, memory_parts, score_against_parameters

mpl.use("Agg")

KINDS: dict[str, Callable[[Table, Block], Figure | None]] = {
    "score": score_against_parameters,
    "memory": memory_parts,
    "curve": curves,
    "rates": learning_rates,
    "budgets": budgets,
}
OF_EFFECTS: dict[str, Callable[[Table, Block], Figure | None]] = {"forest": forest}
SCORES = ("score", "rates", "budgets", "forest")  # of the column that `main_score` names
STYLE: Any = {
    "font.size": 7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 8,
    "svg.fonttype": "none",
    "svg.hashsalt": "bench",  # the same figure, the same file
    "pdf.fonttype": 42,  # text stays text
    "text.usetex": False,
    "text.parse_math": False,  # names are names: a $ in one is no formula
}


@dataclass(frozen=True)
class Drawing:
    """A figure and what it is of.

    Attributes:
        name: for files, such as `miniature-glue.score`.
        figure: as drawn.
        model: of the block.
        task: that the figure is of; empty where it is of several, as an average is.
    """

    name: str
    figure: Figure
    model: str
    task: str


def figures_of(table: Table) -> list[Drawing]:
    """Every figure that the table's records can fill; one per block and kind."""
    found = []
    with styled(), missing_glyphs_told(drawn=False):
        for number, block in enumerate(table.blocks, 1):
            for kind, draw in (OF_EFFECTS if table.effects else KINDS).items():
                figure = draw(table, block)
                if figure is not None:
                    name = f"{table.name}.{kind}{number if len(table.blocks) > 1 else ''}"
                    found.append(Drawing(name, figure, block.rows[0].model, _task(table, block, kind)))
    return found


def _task(table: Table, block: Block, kind: str) -> str:
    column = main_score(table) if kind in SCORES else None
    return block.rows[0].task or (column.task if column is not None else "")


def write_figures(table: Table, folder: Path) -> list[Path]:
    """Write every figure of the table as PDF, SVG and PNG, as wide as a paper's column."""
    folder.mkdir(parents=True, exist_ok=True)
    return [path for drawing in figures_of(table) for path in save_figure(drawing.figure, folder, drawing.name)]


def save_figure(figure: Figure, folder: Path, name: str) -> list[Path]:
    """Write a figure as PDF, SVG and PNG, the same figure the same files; its folder is there."""
    paths = []
    for suffix, date in (("pdf", "CreationDate"), ("svg", "Date"), ("png", None)):
        path = own_file(folder / f"{name}.{suffix}")
        with styled(), missing_glyphs_told():
            figure.savefig(path, dpi=200, metadata=None if date is None else {date: None})
        paths.append(path)
    return paths


def as_svg(figure: Figure) -> str:
    """The figure as an `<svg>` element to put into a page."""
    with styled(), missing_glyphs_told(drawn=False), io.StringIO() as file:
        figure.savefig(file, format="svg", metadata={"Date": None})
        text = file.getvalue()
    return text[text.index("<svg") :]


def styled() -> Any:
    """The look of every figure, for as long as it lasts."""
    return mpl.rc_context({**STYLE, "font.family": families()})
