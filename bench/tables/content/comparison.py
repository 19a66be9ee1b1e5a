"""Which rows of a table cannot be told apart: letters, best marks for all that are tied, and who differs from whom."""

from collections import Counter
from dataclasses import replace

import numpy as np

from bench.errors import unknown_name
from bench.tables.content.marks import baseline
from bench.tables.content.score_tests import Tests, tests_of
from bench.tables.content.ties import ALPHA
from bench.tables.content.ties_notes import LACKING, notes_of_ties
from bench.tables.definition.table import Block, Column, Entry, Row, Table
from bench.tables.statistics.aggregate import Array


def with_ties(table: Table, against: str | None = None) -> Table:
    """Give letters to scores, and the best mark to all that cannot be told apart from the best.

    Args:
        table: with marks by number alone.
        against: a method; scores get their corrected p-value against its row, that of the same settings where there
            are several.

    Raises:
        UserError: no row of that method.
    """
    methods = {row.method for block in table.blocks for row in block.rows}
    if against is not None and against not in methods:
        raise unknown_name("method", against, methods)
    tests, count = tests_of(table)
    blocks = list(table.blocks)
    untested: Counter[str] = Counter()
    for one in tests:
        block = _marked(blocks[one.block], one)
        blocks[one.block] = block if against is None else _against(block, one, against, untested)
    notes = notes_of_ties(table, tests, count)
    if against is not None:
        notes.append(
            f"* can be told apart from {against}, by the same tests" if count else f"no test against {against}"
        )
        notes += [f"{number} score(s) not compared with {against}: {why}" for why, number in untested.items()]
    return replace(table, blocks=blocks, notes=[*table.notes, *notes])


def _marked(block: Block, one: Tests) -> Block:
    """The block with a score's letters, and its marks by the tests."""
    entries = [block.rows[at].entries[one.column.key] for at in one.rows]
    best, second = (
        _with_tied([at for at, entry in enumerate(entries) if entry.rank == rank], one.values) for rank in (1, 2)
    )
    rows = list(block.rows)
    for place, (at, entry) in enumerate(zip(one.rows, entries, strict=True)):
        # As by number alone: after a tie for the best there is no second best.
        rank = 1 if place in best else 2 if place in second and len(best) == 1 else None
        rows[at] = _with(rows[at], one.column, replace(entry, rank=rank, tied=one.letters[place]))
    return Block(block.title, rows)


def _with_tied(places: list[int], values: Array) -> set[int]:
    """These and all that cannot be told apart from one of them."""
    return {*places, *np.flatnonzero((values[places] >= ALPHA).any(axis=0)).tolist()}


def _against(block: Block, one: Tests, method: str, untested: Counter[str]) -> Block:
    """The block with a score's p-values against the row of a method."""
    bases = [row for row in block.rows if row.method == method]
    rows = list(block.rows)
    for place, at in enumerate(one.rows):
        row = block.rows[at]
        base = baseline(row, bases)
        if row is base:
            continue
        other = next((there for there, at in enumerate(one.rows) if block.rows[at] is base), None)
        if other is None or np.isnan(one.values[place, other]):
            untested[_lacking(method, base, bases, other)] += 1
        else:
            entry = replace(row.entries[one.column.key], p_value=float(one.values[place, other]))
            rows[at] = _with(row, one.column, entry)
    return Block(block.title, rows)


def _with(row: Row, column: Column, entry: Entry) -> Row:
    return replace(row, entries={**row.entries, column.key: entry})


def _lacking(method: str, base: Row | None, bases: list[Row], place: int | None) -> str:
    """Why there is nothing to compare with."""
    if base is None:
        return f"{method} has several rows, none of the same settings" if bases else f"no row of {method} beside them"
    return f"{method} has no score" if place is None else LACKING
