"""What a table's letters and best marks are made of, in sentences below it."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from bench.tables.content.score_tests import Tests
from bench.tables.content.ties import ALPHA
from bench.tables.definition.table import Table

DRAWN = {
    "seeds": "over seeds",
    "seeds and items": "over seeds and items",
    "items": "over items of one seed, which says nothing of other seeds",
}
LACKING = "no two seeds in common, nor predictions that give the score"
LARGEST = {"higher": "largest number", "lower": "smallest number"}


def notes_of_ties(table: Table, tests: Sequence[Tests], count: int) -> list[str]:
    """The test, its level, how many comparisons and their correction; and what has no test.

    Args:
        table: whose scores were tested.
        tests: of all scores that two rows have.
        count: how many comparisons the correction is over.
    """
    if not tests:
        return []
    if not count:
        entries = [table.blocks[one.block].rows[at].entries[one.column.key] for one in tests for at in one.rows]
        why = "one seed" if all(entry.seeds == 1 for entry in entries) else LACKING
        return [f"{why}: best is the {_best(tests)}, no test"]
    units = sum((one.pairs.units for one in tests), Counter[str]())
    drawn = ", ".join(f"{words} ({units[unit]})" for unit, words in DRAWN.items() if units[unit])
    notes = [
        f"scores of a column that share a letter cannot be told apart at {100 * ALPHA:.0f} %, and all that share one "
        f"with the best are marked as best: paired t-tests {drawn}, Holm's correction over all {count} comparisons"
    ]
    least = float(np.median(np.concatenate([one.pairs.reaches(ALPHA / count) for one in tests])))
    notes.append(f"half of these tests would have found no difference below {least:.3g}")
    if in_part := sum(one.pairs.in_part for one in tests):
        notes.append(f"{in_part} comparison(s) on the seeds that both have, which are not all")
    return notes + _without_letters(table, tests)


def _without_letters(table: Table, tests: Sequence[Tests]) -> list[str]:
    """Which scores have no letter, and why."""
    whole = [one for one in tests if not np.isfinite(one.values[np.triu_indices(len(one.rows), 1)]).any()]
    crowded = [one for one in tests if not np.isnan(one.values).any() and not any(one.letters)]
    single = sum(not letter for one in tests if one not in whole and one not in crowded for letter in one.letters)
    notes = []
    if whole:
        notes.append(
            f"no test ({LACKING}), best is the {_best(whole)}: {', '.join(_title(table, one) for one in whole)}"
        )
    if single:
        notes.append(f"{single} other score(s) without a letter, as tests are lacking: {LACKING}")
    if crowded:
        titles = ", ".join(_title(table, one) for one in crowded)
        notes.append(f"more groups than letters, marks are by the tests all the same: {titles}")
    return notes


def _title(table: Table, one: Tests) -> str:
    title = f"{one.column.group} {one.column.title}".strip()
    return title if len(table.blocks) == 1 else f"{title} of {table.blocks[one.block].title}"


def _best(tests: Sequence[Tests]) -> str:
    ways = {one.column.better for one in tests}
    return LARGEST[ways.pop()] if len(ways) == 1 else "best number"
