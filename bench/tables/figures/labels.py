"""Names beside points, where they cover neither each other nor a point, and can be read at the figure's size."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

GAP = 5.0  # points from the middle of a marker to its name
STEP = 3.0  # points between the places that are tried
PAD = 0.6  # points of air around a name
FARTHEST = 40  # steps away from the point
MARKER = 2.4  # points from the middle of a marker to its edge
BEHIND: Any = {"facecolor": "white", "alpha": 0.7, "pad": 0.3, "edgecolor": "none"}  # keeps names off the lines

Point = tuple[str, float, float, str]  # name, x, y, colour


@dataclass(frozen=True)
class Box:
    """A rectangle in points from the figure's lower left corner."""

    left: float
    bottom: float
    right: float
    top: float

    def overlap(self, other: "Box") -> float:
        """The area that both cover, in square points."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.top, other.top) - max(self.bottom, other.bottom)
        return width * height if width > 0 and height > 0 else 0.0

    def outside(self, other: "Box") -> float:
        """The area of this one that the other does not cover."""
        return (self.right - self.left) * (self.top - self.bottom) - self.overlap(other)


def label_points(axes: Axes, points: list[Point]) -> None:
    """Write each point's name as near to it as there is room, on any side.

    The figure's layout is made final here, so everything else has to be drawn before.
    """
    _widen(axes, 0.12)
    middles, sizes, within = _measured(axes, points)
    taken = [Box(x - MARKER, y - MARKER, x + MARKER, y + MARKER) for x, y in middles]
    # From the right to the left: what is far right has the least choice.
    for at in sorted(range(len(points)), key=lambda index: (-middles[index][0], middles[index][1])):
        others = [box for index, box in enumerate(taken) if index != at]
        offset, box = _best(middles[at], sizes[at], others, within)
        taken.append(box)
        _write(axes, points[at], offset, sizes[at])


def label_ends(axes: Axes, points: list[Point]) -> None:
    """Write each line's name to the right of its last point, in the order of the lines from bottom to top.

    The figure's layout is made final here, so everything else has to be drawn before.
    """
    longest = max((len(name) for name, *_ in points), default=0)
    _widen(axes, min(0.5, 0.017 * longest + 0.02))  # a letter takes about a sixtieth of a column's width
    middles, sizes, within = _measured(axes, points)
    order = sorted(range(len(points)), key=lambda index: middles[index][1])
    step = max(height for _, height in sizes) + 2 * PAD
    places = spread([middles[at][1] for at in order], step, within.bottom + step / 2, within.top - step / 2)
    for at, place in zip(order, places, strict=True):
        _write(axes, points[at], (GAP, place - middles[at][1] - sizes[at][1] / 2), sizes[at])


def spread(wanted: list[float], step: float, low: float, high: float) -> list[float]:
    """Places in rising order, at least `step` apart, with the least squared distance to those `wanted` (isotonic).

    Args:
        wanted: in rising order.
        step: the least distance of neighbours.
        low: no place lies below.
        high: and none above, as far as there is room.
    """
    groups: list[list[float]] = []  # of places less their share of steps, which must not fall
    for at, place in enumerate(wanted):
        groups.append([place - at * step])
        while len(groups) > 1 and _mean(groups[-2]) > _mean(groups[-1]):
            groups[-2:] = [groups[-2] + groups[-1]]
    even = [_mean(group) for group in groups for _ in group]
    last = len(even) - 1
    return [max(low + at * step, min(place + at * step, high - (last - at) * step)) for at, place in enumerate(even)]


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def _widen(axes: Axes, share: float) -> None:
    """Leave a share of the width free on the right."""
    axes.margins(x=0.06, y=0.1)
    axes.autoscale_view()
    low, high = (axes.transScale.transform((x, 1.0))[0] for x in axes.get_xlim())
    wide = low + (high - low) / (1 - share)
    axes.set_xlim(right=axes.transScale.inverted().transform((wide, 1.0))[0])


def _measured(axes: Axes, points: list[Point]) -> tuple[list[Any], list[tuple[float, float]], Box]:
    """Make the layout final; where the points are, how wide and high their names, and the room for these."""
    figure = axes.figure
    assert isinstance(figure, Figure)
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # names move nothing any more
    canvas: Any = FigureCanvasAgg(figure)
    renderer = canvas.get_renderer()
    unit = 72 / figure.dpi
    frame = axes.get_window_extent(renderer)
    within = Box(frame.x0 * unit, frame.y0 * unit, figure.get_figwidth() * 72 - 1, frame.y1 * unit + 6)
    sizes = []
    for name, x, y, _ in points:
        text = axes.text(x, y, name)
        extent = text.get_window_extent(renderer)
        sizes.append((extent.width * unit, extent.height * unit))
        text.remove()
    return [axes.transData.transform((x, y)) * unit for _, x, y, _ in points], sizes, within


def _write(axes: Axes, point: Point, offset: tuple[float, float], size: tuple[float, float]) -> None:
    """Write a name whose lower left corner is `offset` from its point; a thin line leads to one that is far away."""
    name, x, y, colour = point
    width, height = size
    near = -GAP - width - STEP <= offset[0] <= GAP + STEP and abs(offset[1] + height / 2) <= height + STEP
    line = None if near else {"arrowstyle": "-", "lw": 0.4, "color": colour, "shrinkA": 0, "shrinkB": 2}
    label = axes.annotate(
        name, (x, y), offset, textcoords="offset points", va="bottom", color=colour, bbox=BEHIND, arrowprops=line,
        zorder=4,
    )  # fmt: skip
    label.set_in_layout(False)


def _best(middle: Any, size: tuple[float, float], taken: list[Box], within: Box) -> tuple[tuple[float, float], Box]:
    """The first place where the name covers nothing; where there is none, the one where it covers least."""
    (width, height), best, least = size, None, float("inf")
    for x, y in _offsets(width, height):
        left, bottom = middle[0] + x, middle[1] + y
        box = Box(left - PAD, bottom - PAD, left + width + PAD, bottom + height + PAD)
        covered = sum(box.overlap(other) for other in taken) + box.outside(within)
        if covered < least - 1e-6:
            best, least = ((x, y), box), covered
            if covered <= 1e-6:
                break
    assert best is not None
    return best


def _offsets(width: float, height: float) -> Iterator[tuple[float, float]]:
    """Where a name's lower left corner may lie, from its point: beside it first, then farther and farther away."""
    for away in range(FARTHEST):
        shift = away * STEP
        for gap in (GAP, GAP + shift / 2) if shift else (GAP,):
            for up in (shift, -shift) if shift else (0.0,):
                yield gap, up - height / 2
                yield -gap - width, up - height / 2
            for up in (gap - 1 + shift, -gap + 1 - height - shift):
                yield -width / 2, up
