"""The Pareto front of cost and score, or of several costs."""

from collections.abc import Sequence


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


def undominated(points: Sequence[tuple[float, ...]]) -> list[bool]:
    """Which points no other reaches or beats in every coordinate and beats in one; equal ones do not beat each other.

    Args:
        points: costs of each, less is better; a score with its sign turned round.
    """
    return [
        not any(other != point and all(b <= a for a, b in zip(point, other, strict=True)) for other in points)
        for point in points
    ]
