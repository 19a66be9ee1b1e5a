"""The tests of a table's scores: every pair of rows of a block in every column, corrected over all of the table."""

from dataclasses import dataclass

import numpy as np

from bench.tables.content.pairing import finished, runs_of
from bench.tables.content.ties import Pairs, corrected, lettered, tested
from bench.tables.definition.table import Block, Column, Table
from bench.tables.statistics.aggregate import Array


@dataclass
class Tests:
    """The tests of a score among the rows of a block.

    Attributes:
        block: its place in the table.
        column: the score's.
        rows: the places in the block of those that have a number, the best first.
        pairs: their tests.
        values: p-values of all pairs after the correction; NaN where there is no test.
        letters: of each row.
    """

    block: int
    column: Column
    rows: list[int]
    pairs: Pairs
    values: Array
    letters: list[str]


def tests_of(table: Table) -> tuple[list[Tests], int]:
    """The tests of every score that two rows of a block have, corrected over all of them; and how many there are."""
    done = finished(table)
    tests = []
    for number, block in enumerate(table.blocks):
        for column in table.columns:
            rows = _best_first(block, column)
            if column.score and column.better != "none" and len(rows) > 1:
                pairs = tested([runs_of(done, column, block.rows[at].entries[column.key]) for at in rows])
                tests.append(Tests(number, column, rows, pairs, pairs.values, []))
    values, count = corrected([one.pairs.values for one in tests])
    for one, found in zip(tests, values, strict=True):
        one.values, one.letters = found, lettered(found)
    return tests, count


def _best_first(block: Block, column: Column) -> list[int]:
    """The places of the rows that have a number in a column."""
    sign = -1 if column.better == "higher" else 1
    numbers = {at: row.entries[column.key].value for at, row in enumerate(block.rows)}
    known = {at: sign * value for at, value in numbers.items() if value is not None and np.isfinite(value)}
    return sorted(known, key=known.__getitem__)
