"""Whose scores decide a claim: how many seeds there must be, and how the settings were chosen."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench.configuration.schema import ScoreOn
from bench.tables.definition.protocol import GIVEN

SEEDS_TO_DECIDE = 3  # of each side of a comparison; fewer decide nothing
LISTED = 6  # figures, in one line


@dataclass(frozen=True)
class Choice:
    """How the settings of a figure's cells were chosen.

    Attributes:
        what: whose figure it is, `lora on t5_base`.
        on: `selection` or `reported`, the rows that a study chose them on; `given`: no study did.
        trials: of the study; None: it does not say.
        kept_best: whether a score is the best of several evaluations on the reported rows.
        seconds: device-seconds that the study had, in place of a number of trials.
        pruner: what cut trials short, in the study's words; empty: nothing did.
    """

    what: str
    on: str
    trials: int | None = None
    kept_best: bool = False
    seconds: int | None = None
    pruner: str = ""

    @property
    def effort(self) -> str:
        """What the search was bounded by, in words."""
        pruned = f" by {self.pruner}" if self.pruner else ""
        return f"{self.trials} trials{pruned}" if self.seconds is None else f"{self.seconds} device-seconds"

    def __str__(self) -> str:
        return self.on if self.trials is None else f"{self.on}, {self.effort}"


def objection(choices: Sequence[Choice]) -> str | None:
    """Why figures do not decide anything between them: their selection was not clean, or not equal; None: it was.

    Figures of which none was tuned are equal in that; `caveat` says so.
    """
    for choice in choices:
        if choice.on == ScoreOn.reported:
            return f"{choice.what}: its settings were chosen on the reported rows"
        if choice.kept_best:
            return f"{choice.what}: the best of its evaluations on the reported rows, instead of the last"
    tuned, given = [c for c in choices if c.on != GIVEN], [c for c in choices if c.on == GIVEN]
    if tuned and given:
        return f"{_those(given)}: not tuned, but {_those(tuned)} by a study"
    if without := [choice for choice in tuned if choice.trials is None]:
        return f"{_those(without)}: its study does not say how many trials it had"
    if len({choice.effort for choice in tuned}) > 1:
        counts = dict.fromkeys(f"{choice.what} by {choice.effort}" for choice in tuned)
        return f"tuned by different budgets: {', '.join(counts)}"
    return None


def caveat(choices: Iterable[Choice]) -> str | None:
    """What a verdict rests on where no study chose the settings; None where one did."""
    given = [choice for choice in choices if choice.on == GIVEN]
    return f"nothing was tuned, settings are as given: {_those(given)}" if given else None


def _those(choices: Iterable[Choice]) -> str:
    names = list(dict.fromkeys(choice.what for choice in choices))
    return ", ".join(names[:LISTED]) + (f" and {len(names) - LISTED} more" if len(names) > LISTED else "")
