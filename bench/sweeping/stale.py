"""Stale cells: finished, but of other weights, data, tokenizer or code than lie there now. The user decides."""

import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from bench.configuration.cell import Cell
from bench.errors import UserError, unknown_name
from bench.identity.fingerprints import Comparison, Comparisons
from bench.records.glance import look
from bench.records.schema import Status
from bench.system.terminal import say

STALE = "stale"  # beside the statuses of records
SETTLED = (Status.done, Status.unsupported)  # how cells end that are not run again


class Rerun(StrEnum):
    """What becomes of stale cells."""

    stale = "stale"  # they are run again
    none = "none"  # their records count as they are


@dataclass(frozen=True)
class Seen:
    """What is kept of a record that was looked at: there may be ten thousand.

    Attributes:
        status: how it ended.
        seconds: what it took.
        comparison: whether what it was made of is still there; None where it did not finish.
    """

    status: Status
    seconds: float | None
    comparison: Comparison | None

    @property
    def state(self) -> str:
        """The status, or `STALE`."""
        return STALE if self.comparison is not None and self.comparison.changed else self.status.value


class Glances:
    """Looks at the folders of cells; what many records have in common is looked at once."""

    def __init__(self) -> None:
        self._comparisons = Comparisons()

    def at(self, folder: Path, cell: Cell) -> Seen | None:
        """What there is of a cell; None: no record, or one of another cell.

        Raises:
            UserError: the folder cannot be read, or has a damaged record.
        """
        record = look(folder, cell)
        if record is None:
            return None
        is_settled = record.status in SETTLED
        comparison = self._comparisons.of(record.fingerprints, cell.config) if is_settled else None
        return Seen(record.status, record.time.total, comparison)


class Verdicts:
    """Where finished cells stand, in words."""

    def __init__(self, seen: Mapping[Path, Seen | None]) -> None:
        self._found = {
            folder: one.comparison for folder, one in seen.items() if one is not None and one.comparison is not None
        }

    @property
    def stale(self) -> list[Path]:
        """The folders of stale cells."""
        return [folder for folder, comparison in self._found.items() if comparison.changed]

    @property
    def changes(self) -> dict[str, list[str]]:
        """Each stale cell, and what has changed."""
        return {folder.name: list(self._found[folder].changed) for folder in self.stale}

    @property
    def reasons(self) -> list[str]:
        """Why cells are stale: `the weights have changed since 3 cells were run, such as NAME`."""
        found: dict[str, list[Path]] = {}
        for folder in self.stale:
            found.setdefault(self._found[folder].sentence, []).append(folder)
        return [
            f"{why} since {_count(len(some), 'cell was', 'cells were')} run, such as {some[0].name}"
            for why, some in found.items()
        ]

    @property
    def remarks(self) -> list[str]:
        """What else a user ought to know of finished cells before believing them."""
        found = self._found.values()
        unknown = sum(not comparison.is_known for comparison in found)
        said = [f"{_count(unknown, 'does', 'do')} not say what they were made of: unknown"] if unknown else []
        unseen = Counter(comparison.unseen for comparison in found if comparison.unseen)
        said += [
            f"{_count(number, 'cannot', 'cannot')} be checked from here: {' and '.join(what)}"
            for what, number in unseen.items()
        ]
        libraries = Counter(comparison.libraries for comparison in found if comparison.libraries)
        said += [
            f"{_count(number, 'was', 'were')} run with other libraries ({'; '.join(which)}), and count"
            for which, number in libraries.items()
        ]
        return [f"of the finished cells {one}" for one in said]


def forced(cell: Cell) -> Cell:
    """The same cell, to be run although a finished record is there."""
    return replace(cell, config=cell.config | {"force": True})


def settled(folder: Path, cell: Cell, rerun: str | None) -> tuple[Cell, bool]:
    """Whether a cell's record is the answer to the wish to run it; and the cell as it is to be run if not.

    Args:
        folder: the cell's.
        cell: which.
        rerun: one of `Rerun`: what becomes of a stale cell; None: nobody has said.

    Raises:
        UserError: the cell is stale, and nobody has said what to do; or a word that says nothing.
    """
    check_rerun(rerun)
    seen = None if cell.config["force"] else Glances().at(folder, cell)
    if seen is None or seen.status != Status.done:
        return cell, False
    verdicts = Verdicts({folder: seen})
    if not verdicts.stale or rerun == Rerun.none:
        for line in (*map("stale: {}".format, verdicts.reasons), *verdicts.remarks):
            say(line, sys.stderr)
        return cell, True
    if rerun is None:
        raise refuse(verdicts.reasons)
    return forced(cell), False


def check_rerun(word: str | None) -> None:
    """Refuse a word that says nothing."""
    if word is not None and word not in list(Rerun):
        raise unknown_name("rerun", word, list(Rerun))


def refuse(reasons: Iterable[str]) -> UserError:
    """What is raised where there are stale cells, and nobody has said what to do."""
    return UserError(
        f"stale: {'; '.join(reasons)}. rerun=stale runs stale cells again, rerun=none keeps their records as they are"
    )


def _count(number: int, one: str, several: str) -> str:
    return f"{number} {one if number == 1 else several}"
