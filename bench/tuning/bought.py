"""What searches have bought, held against each other: at equal time, and against the setting without a search."""

import math
from collections.abc import Sequence

from bench.configuration.origins import value_at
from bench.records.metric import HIGHER
from bench.tuning.expected import expected_best
from bench.tuning.result import Outcome, Result
from bench.tuning.space import Dimension


def together(results: Sequence[Result]) -> dict[tuple[str, str], list[Result]]:
    """The results by model and task: those of which the methods compare."""
    found: dict[tuple[str, str], list[Result]] = {}
    for result in results:
        found.setdefault((result.study.cell.model, result.study.cell.task), []).append(result)
    return found


def equal_seconds(results: Sequence[Result]) -> float | None:
    """Seconds of training that the whole search of the cheapest took, of those that found something.

    None where none did, or no time was measured.
    """
    return min((sum(one.seconds for one in result.outcomes) for result in results if result.scored), default=0) or None


def best_within(result: Result, seconds: float) -> float | None:
    """The best score of the trials that were through after so many seconds of training, in their order; None: no score.

    Trials that failed count with the seconds that they took; those of a bracket are through together.
    """
    spent, found = 0.0, []
    for bracket in result.brackets:
        spent += sum(one.seconds for one in bracket)
        if spent > seconds * (1 + 1e-9):  # the cheapest's own sum is within
            break
        found += [one.score for one in bracket if one.score is not None and not one.cuts]
    return (max if result.metric.better == HIGHER else min)(found, default=None)


def default_trial(result: Result) -> Outcome | None:
    """The trial with a score that lies nearest to the experiment's own setting, on the scales of the space.

    None where that setting lies outside of the space, an earlier search has chosen it, no trial has a score, or a
    pruner has picked those that have: the nearest may be far.
    """
    if not result.study.protocol.pruner.is_none:
        return None
    dimensions = result.study.space.dimensions
    wanted = {one.key: value_at(result.study.cell.config, one.key) for one in dimensions}
    if value_at(result.study.cell.config, "training.chosen_by") or not all(
        _inside(one, wanted[one.key]) for one in dimensions
    ):
        return None
    return min(
        result.scored,
        key=lambda trial: math.hypot(*(_apart(one, trial.parameters[one.key], wanted[one.key]) for one in dimensions)),
        default=None,
    )


def expected(result: Result) -> list[float]:
    """The expected best score after 1, 2, … trials; empty where none has a score."""
    sign = 1 if result.metric.better == HIGHER else -1
    scores = [sign * score for score in result.scores]
    return [sign * expected_best(scores, count) for count in range(1, len(scores) + 1)]


def _inside(one: Dimension, value: object) -> bool:
    if one.values:
        return value in one.values
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and one.low <= float(str(value)) <= one.high


def _apart(one: Dimension, first: object, second: object) -> float:
    """How far two values are apart, 0…1; those of a list are either the same or not."""
    if one.values:
        return float(first != second)
    return abs(one.place(float(str(first))) - one.place(float(str(second))))
