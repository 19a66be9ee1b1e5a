"""Mean ranks of methods on a line; those that cannot be told apart are joined (Demšar 2006, figure 1)."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from bench.system.links import own_file
from bench.tables.content.contest import Contest
from bench.tables.content.overall import Overall
from bench.tables.figures.drawing import styled
from bench.tables.figures.fonts import missing_glyphs_told

WIDTH = 3.5  # inches, a column
LINE = 0.16  # inches, a method


def critical_differences(one: Overall) -> Figure:
    """The diagram of a block that has ranks; bars join methods by Wilcoxon's tests after Holm's correction."""
    from scikit_posthocs import critical_difference_diagram

    assert one.corrected is not None
    names = [method.method for method in one.methods]
    figure = Figure(figsize=(WIDTH, 0.8 + LINE * len(names)), layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(f"{one.block}: mean ranks over {one.tasks} tasks")
    ranks = pd.Series({method.method: method.rank for method in one.methods}, dtype=float)
    critical_difference_diagram(ranks, pd.DataFrame(np.asarray(one.corrected), names, names), ax=axes)
    return figure


def write_critical_differences(contest: Contest, folder: Path) -> list[Path]:
    """Write the diagram of every block that has ranks as PDF and SVG."""
    paths = []
    for number, one in enumerate((one for one in contest.overall if one.corrected is not None), 1):
        with styled(), missing_glyphs_told():
            figure = critical_differences(one)
            for suffix, date in (("pdf", "CreationDate"), ("svg", "Date")):
                path = own_file(folder / f"{contest.name}.ranks{number}.{suffix}")
                figure.savefig(path, metadata={date: None})
                paths.append(path)
    return paths
