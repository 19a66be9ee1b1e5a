"""Mean ranks of methods on a line; those that cannot be told apart are joined (Demšar 2006, figure 1)."""

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bench.tables.content.overall import Overall

WIDTH = 3.5  # inches, a column
LINE = 0.12  # inches, a method or a bar


def critical_differences(one: Overall) -> Figure:
    """The diagram of a block that has ranks; bars join methods by Wilcoxon's tests after Holm's correction.

    A bar has a dot for each method that it joins: others that it passes are not meant.
    """
    from scikit_posthocs import critical_difference_diagram

    assert one.corrected is not None
    names = [method.method for method in one.methods]
    figure = Figure(figsize=(WIDTH, 0.9 + LINE * len(names)), layout="constrained", dpi=200)
    axes = figure.add_subplot()
    # Of the figure, as names take the room beside the axes.
    title = f"{one.block}: mean ranks over {one.tasks} tasks, 1 is best"
    figure.suptitle(title, x=0.01, ha="left", fontsize=mpl.rcParams["axes.titlesize"], wrap=True)
    ranks = pd.Series({method.method: method.rank for method in one.methods}, dtype=float)
    critical_difference_diagram(
        ranks, pd.DataFrame(np.asarray(one.corrected), names, names), ax=axes,
        label_fmt_left="{label} ({rank:.1f}) ", label_fmt_right=" ({rank:.1f}) {label}",
        label_props={"fontsize": 7}, marker_props={"s": 8}, elbow_props={"linewidth": 0.8},
        crossbar_props={"linewidth": 1.8, "color": "0.35", "marker": "o", "markersize": 3},
        color_palette=dict.fromkeys(names, "black"), text_h_margin=0.02 * len(names),
    )  # fmt: skip
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure
