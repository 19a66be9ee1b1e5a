"""What a search has bought: the expected best score after n trials, a line for each method."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from bench.tables.figures.labels import Point, label_ends
from bench.tables.figures.plots import COLOURS, DASHES, MARKERS, WIDTH


@dataclass(frozen=True)
class Bought:
    """One method's search.

    Attributes:
        name: the method's.
        expected: the expected best score after 1, 2, … trials.
        default: the score at the setting that would have been used without a search, as near as it was tried.
    """

    name: str
    expected: Sequence[float]
    default: float | None = None


def expected_best_scores(title: str, metric: str, searches: Sequence[Bought]) -> Figure:
    """Lines over the number of trials on a doubling axis; an open marker at 1 is the default setting.

    Args:
        title: the model and the task.
        metric: what the scores are.
        searches: one for each method, with one score or more.
    """
    figure = Figure(figsize=(WIDTH, max(2.4, 0.14 * len(searches))), layout="constrained", dpi=200)
    axes = figure.add_subplot()
    axes.set_title(title, loc="left")
    axes.set_xscale("log", base=2)
    ends: list[Point] = []
    for at, one in enumerate(searches):
        colour, marker = COLOURS[at % len(COLOURS)], MARKERS[at % len(MARKERS)]
        trials = range(1, len(one.expected) + 1)
        axes.plot(trials, one.expected, DASHES[at % len(DASHES)], color=colour, lw=1)
        if one.default is not None:
            axes.plot(1, one.default, marker, color=colour, mfc="white", ms=4, zorder=3, clip_on=False)
        ends.append((one.name, float(len(one.expected)), float(one.expected[-1]), colour))
    most = max(len(one.expected) for one in searches)
    ticks = [2**power for power in range(most.bit_length())]
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("trials (open marker: the trial nearest to the default setting)")
    axes.set_ylabel(f"expected best {metric}")
    label_ends(axes, ends)
    return figure
