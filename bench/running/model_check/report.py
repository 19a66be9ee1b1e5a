"""What a look at a model finds: sections of facts, and of checks that went well, ill, or leave a doubt."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from bench.errors import UserError


@dataclass
class Section:
    """One subject.

    Attributes:
        facts: what is so, by name; plain values. None: there is no such thing.
        right: what was checked and found right, a line each.
        doubts: what a user ought to look at.
        wrong: checks that failed.
        skipped: what could not be looked at, and why.
        fits: by method, how many parameters it trains.
        refused: by method, why it is not to be had.
    """

    facts: dict[str, Any] = field(default_factory=dict)
    right: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    fits: dict[str, int] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)

    def hold(self, said: str, check: Callable[[], object]) -> bool:
        """Note that `said` is right, or what `check` refuses; returns whether it is right."""
        try:
            check()
        except UserError as error:
            self.wrong.append(str(error))
            return False
        self.right.append(said)
        return True


@dataclass
class ModelReport:
    """What a look at a model finds.

    Attributes:
        model: its name.
        family: encoder, encoder_decoder or decoder.
        sections: by name, in the order in which they are shown.
    """

    model: str
    family: str
    sections: dict[str, Section]

    @property
    def failed(self) -> list[str]:
        """Names of the sections in which a check failed."""
        return [name for name, section in self.sections.items() if section.wrong]

    @property
    def conclusion(self) -> str:
        """The report in a line."""
        sections = self.sections.values()
        right, doubts, wrong = (sum(len(getattr(s, kind)) for s in sections) for kind in ("right", "doubts", "wrong"))
        look = f", {doubts} to look at" if doubts else ""
        skipped = [name for name, section in self.sections.items() if section.skipped]
        unseen = f"; not looked at, or not all of it: {', '.join(skipped)}" if skipped else ""
        if wrong:
            return f"wrong: {_checks(wrong)} failed ({', '.join(self.failed)}){look}{unseen}"
        return f"right: {_checks(right)} went well{look}{unseen}"


def _checks(count: int) -> str:
    return f"{count} check{'' if count == 1 else 's'}"
