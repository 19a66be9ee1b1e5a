"""The performance profile of a comparison: the share of a method's runs above a threshold (Agarwal et al. 2021)."""

import numpy as np
from matplotlib.figure import Figure

from bench.tables.content.overall import Overall
from bench.tables.figures.plots import COLOURS, DASHES, WIDTH
from bench.tables.statistics.aggregate import performance_profile

COLUMNS = 3  # of the legend
LINE = 0.12  # inches, a line of the legend


def profile(one: Overall) -> Figure:
    """A line for each method: its share of runs, of all tasks and seeds, above every threshold."""
    figure = Figure(figsize=(WIDTH, 2.2 + LINE * -(-len(one.methods) // COLUMNS)), layout="constrained", dpi=200)
    axes = figure.add_subplot()
    axes.set_title(f"{one.block}: {one.tasks} tasks, {one.seeds} seed(s)", loc="left")
    every = np.sort(np.concatenate([method.runs for method in one.methods]))
    thresholds = np.unique([every[0] - 0.02 * np.ptp(every), *every])
    for at, method in enumerate(one.methods):
        shares = performance_profile(np.asarray(method.runs), thresholds)
        colour, dashes = COLOURS[at % len(COLOURS)], DASHES[at % len(DASHES)]
        axes.step(thresholds, shares, dashes, where="post", color=colour, lw=1, label=method.method)
    axes.set_xlabel("score τ")
    axes.set_ylabel("share of runs above τ")
    # Lines meet at both ends and cross between them, so that no name can stand beside its own.
    figure.legend(loc="outside lower center", ncols=COLUMNS, fontsize=6, frameon=False, handlelength=2.4)
    return figure
