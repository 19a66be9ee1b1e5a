"""What each of several two-level factors does: least squares on a design, one fit a seed; pure functions on arrays.

Columns are coded so that a coefficient is the score with a component minus that without it. A component that others are
parts of, or that is a part of none, is +1/2 where it is on and −1/2 where it is off. One that is a part of another is 0
where it is on, −1 where it is off, and 0 where the other is off, since there it makes no difference: so each is taken
away from what is otherwise whole. Interactions are products of columns in halves, so that a coefficient is how much
more one component does where the other is on.

The paired test takes each seed's coefficient as one draw: the error of an effect is how much it varies from seed to
seed, as for any factor within blocks that are drawn at random (Box, Hunter and Hunter, Statistics for Experimenters,
chapter 4). The coefficients' mean is that of ordinary least squares on all seeds together.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np

from bench.tables.statistics.aggregate import Array

ON, OFF, MOOT = 1, -1, 0
CLOSE = 1e-9


@dataclass(frozen=True)
class Terms:
    """What a design can tell.

    Attributes:
        names: of the terms: a component, or two that interact.
        matrix: intercept and a column for each term, shape `(points, 1 + terms)`, of full rank.
        unknown: components of which the design tells nothing.
        aliases: by term, the interactions that cannot be told apart from it.
    """

    names: list[tuple[str, ...]]
    matrix: Array
    unknown: list[str]
    aliases: dict[tuple[str, ...], list[tuple[str, ...]]] = field(default_factory=dict)


def terms_of(names: Sequence[str], states: Array) -> Terms:
    """The effects that a design can tell apart: all main ones that it can, then interactions of two.

    Designs of one component at a time have no points left that would tell an interaction.

    Args:
        names: of the components.
        states: ON, OFF or MOOT, shape `(points, components)`.
    """
    moot = (states == MOOT).any(axis=0)
    halves = states / 2
    mains = np.where(moot, np.where(states == OFF, -1.0, 0.0), halves)
    chosen, matrix, unknown = list[tuple[str, ...]](), np.ones((len(states), 1)), list[str]()
    for place, name in enumerate(names):
        wider = np.column_stack([matrix, mains[:, place]])
        if _is_wider(wider):
            chosen.append((name,))
            matrix = wider
        else:
            unknown.append(name)
    aliases: dict[tuple[str, ...], list[tuple[str, ...]]] = {}
    for first, second in combinations(range(len(names)), 2):
        if _is_part(states[:, first], states[:, second]):
            continue
        pair, column = (names[first], names[second]), halves[:, first] * halves[:, second]
        wider = np.column_stack([matrix, column])
        if _is_wider(wider):
            chosen.append(pair)
            matrix = wider
        elif (other := _same(matrix, column)) is not None and other > 0:
            aliases.setdefault(chosen[other - 1], []).append(pair)
    return Terms(chosen, matrix, unknown, aliases)


def effects(terms: Terms, scores: Array) -> Array:
    """Each term's coefficient by seed, shape `(terms, seeds)`.

    Args:
        terms: of the design.
        scores: shape `(points, seeds)`.
    """
    found, *_ = np.linalg.lstsq(terms.matrix, scores, rcond=None)
    largest = float(np.abs(scores).max(initial=0.0))
    # Of what the arithmetic leaves in the last digits, nothing is shown: a count stays whole.
    digits = 9 - int(np.ceil(np.log10(largest))) if largest > 0 else 0
    return np.asarray(np.round(found[1:], digits) + 0.0, dtype=float)


def _is_wider(matrix: Array) -> bool:
    return bool(matrix.shape[1] <= matrix.shape[0] and np.linalg.matrix_rank(matrix) == matrix.shape[1])


def _is_part(first: Array, second: Array) -> bool:
    """Whether one is a part of the other: wherever one is off, the other is moot."""
    return any(bool((inner[outer == OFF] == MOOT).all() and (outer == OFF).any()) for outer, inner in
               ((first, second), (second, first)))  # fmt: skip


def _same(matrix: Array, column: Array) -> int | None:
    """The column of a design that is the same as this one but for sign and size; None: there is none."""
    for place in range(matrix.shape[1]):
        other = matrix[:, place]
        overlap = float(column @ other)
        if abs(overlap**2 - (column @ column) * (other @ other)) < CLOSE and abs(overlap) > CLOSE:
            return place
    return None
