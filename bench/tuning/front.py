"""A search's Pareto front: trials that no other beats in what they keep, in memory and in score at once.

On the selection data, as the choice is. Trials of all methods on one model and task compete; peaks of memory that are a
hundredth apart or less count as equal.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from bench.records.fields import FIELDS
from bench.records.metric import HIGHER
from bench.records.schema import Record
from bench.tables.statistics.pareto import PEAK_NOISE, undominated
from bench.tuning.bought import together
from bench.tuning.result import Outcome, Result


@dataclass(frozen=True)
class Figures:
    """What a trial was made of and took, by its record.

    Attributes:
        title: the method's; of a mixture, its parts.
        mixed: whether it is a mixture.
        kept: values, the head left out; None: not known, as of one that failed early.
        train_peak: bytes; None: not measured.
    """

    title: str
    mixed: bool
    kept: float | None
    train_peak: int | None


def figures_of(record: Record) -> Figures:
    """Read them off."""
    title, mixture, kept, peak = (FIELDS[name](record) for name in ("method_title", "mixture", "kept", "train_peak"))
    return Figures(str(mixture or title), bool(mixture), kept, peak)


def on_front(results: Sequence[Result]) -> set[tuple[str, int]]:
    """The trials on the front of their model and task, by study and number.

    Only of those that were trained in full, have a score, and were measured: memory of one kind, a GPU's where there
    is one.
    """
    found: set[tuple[str, int]] = set()
    for group in together(results).values():
        compared = [(result, one) for result in group for one in result.scored]
        kinds = {FIELDS["measure"](one.record) for _, one in compared}
        kind = "cuda" if "cuda" in kinds else "rss"
        compared = [pair for pair in compared if FIELDS["measure"](pair[1].record) == kind]
        costs = [(pair, _costs(*pair)) for pair in compared]
        known = [(pair, cost) for pair, cost in costs if cost is not None]
        marks = undominated([cost for _, cost in known], (0.0, PEAK_NOISE, 0.0))
        on = [pair for (pair, _), is_on in zip(known, marks, strict=True) if is_on]
        found |= {(result.study.name, one.number) for result, one in on}
    return found


def _costs(result: Result, one: Outcome) -> tuple[float, ...] | None:
    told = figures_of(one.record)
    if told.kept is None or told.train_peak is None or one.score is None:
        return None
    return told.kept, told.train_peak, -one.score if result.metric.better == HIGHER else one.score
