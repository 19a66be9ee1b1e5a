"""The Pareto front of cost and score, or of several costs."""

from collections.abc import Sequence

PEAK_NOISE = 0.01  # of a peak of memory, from run to run of the same: a resident set, and what an allocator rounds up


def pareto_front(points: list[tuple[float, float]], higher: bool = True) -> list[tuple[float, float]]:
    """The points (cost, score) that no cheaper or equally cheap point reaches or beats, by rising cost.

    Args:
        points: in any order.
        higher: whether higher scores are better.
    """
    sign = 1 if higher else -1
    front: list[tuple[float, float]] = []
    for cost, score in sorted(points, key=lambda point: (point[0], -sign * point[1])):
        if not front or sign * score > sign * front[-1][1]:
            front.append((cost, score))
    return front


def undominated(points: Sequence[tuple[float, ...]], noise: Sequence[float]) -> list[bool]:
    """Which points no other reaches or beats in every coordinate and beats in one; equal ones do not beat each other.

    Args:
        points: costs of each, less is better; a score with its sign turned round.
        noise: for each coordinate, by which share of the larger two values may differ and count as equal.
    """

    def beats(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
        apart = [a - b for a, b in zip(one, other, strict=True)]
        allowed = [share * max(abs(a), abs(b)) for a, b, share in zip(one, other, noise, strict=True)]
        no_worse = all(more <= least for more, least in zip(apart, allowed, strict=True))
        return no_worse and any(-more > least for more, least in zip(apart, allowed, strict=True))

    return [not any(beats(other, point) for other in points) for point in points]
