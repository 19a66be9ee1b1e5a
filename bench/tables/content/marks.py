"""What an entry says by comparison with others in its block: reductions, best and second best."""

from dataclasses import replace

import numpy as np

from bench.tables.definition.columns import Shown
from bench.tables.definition.quantities import PEAKS
from bench.tables.definition.table import Block, Column, Entry, Row, main_column
from bench.tables.statistics.pareto import PEAK_NOISE, undominated
from bench.tables.statistics.summary import ranks


def compared(block: Block, shown: list[Shown]) -> Block:
    """Fill in the columns that say by how many percent a field lies below another method's."""
    below = [(item.column.key, item.definition.below) for item in shown if item.definition.below is not None]
    rows = block.rows
    for key, method in below:
        bases = [row for row in rows if row.method == method]
        rows = [
            replace(row, entries={**row.entries, key: _reduction(row.entries[key], _base(row, bases, key))})
            for row in rows
        ]
    return Block(block.title, rows)


def baseline_notes(blocks: list[Block], shown: list[Shown]) -> list[str]:
    """Say where a column that compares has no one row to compare with."""
    notes = []
    for item in shown:
        method = item.definition.below
        several = [
            block.title
            for block in blocks
            if len(bases := [row for row in block.rows if row.method == method]) > 1
            and not all(baseline(row, bases) for row in block.rows)
        ]
        if several:
            notes.append(
                f"{item.column.title}: {method} has several rows for {' and '.join(several)}; only rows of the same "
                "settings are compared"
            )
    return notes


def baseline(row: Row, bases: list[Row]) -> Row | None:
    """Which of `bases` to compare a row with: the only one, or the one of the same settings; else none is right."""
    if len(bases) == 1:
        return bases[0]
    same = [base for base in bases if (base.keys, base.variant) == (row.keys, row.variant)]
    return same[0] if len(same) == 1 else None


def _base(row: Row, bases: list[Row], key: str) -> float | None:
    base = baseline(row, bases)
    return None if base is None else base.entries[key].value or None


def _reduction(entry: Entry, base: float | None) -> Entry:
    if entry.value is None:
        return entry
    if base is None:
        return replace(entry, status="incomplete", value=None, deviation=None, values=(), interval=None)
    return replace(entry, value=100 * (1 - entry.value / base), deviation=None, values=(), interval=None)


def on_front(block: Block, shown: list[Shown]) -> Block:
    """Fill in the columns that say which rows no other beats in all of some fields and in the score: 1, or 0.

    A row without one of these figures has none, and beats nobody.
    """
    rows = block.rows
    for item in (item for item in shown if item.definition.front):
        costs = [_costs(row, item.definition.front, main_column([one.column for one in shown])) for row in rows]
        noise = [*(PEAK_NOISE if field in PEAKS else 0.0 for field in item.definition.front), 0.0]
        found = iter(undominated([cost for cost in costs if cost is not None], noise))
        marks = [None if cost is None else float(next(found)) for cost in costs]
        rows = [
            row if mark is None else replace(row, entries={**row.entries, item.column.key: Entry("done", value=mark)})
            for row, mark in zip(rows, marks, strict=True)
        ]
    return Block(block.title, rows)


def _costs(row: Row, fields: tuple[str, ...], score: Column | None) -> tuple[float, ...] | None:
    """Less is better; None where one is not known."""
    assert score is not None, "a front is of a table with tasks"
    entry = row.entries[score.key]
    values = [*(row.entries[name].value for name in fields), entry.value]
    known = [value for value in values if value is not None and np.isfinite(value)]
    if len(known) < len(values):
        return None
    return *known[:-1], known[-1] if score.better == "lower" else -known[-1]


def ranked(block: Block, shown: list[Shown]) -> Block:
    """Mark the best and second best of each column that says which values are better."""
    rows = block.rows
    for item in shown:
        column = item.column
        if column.better == "none":
            continue
        values = [row.entries[column.key].value for row in rows]
        array = np.array([np.nan if value is None else value for value in values], dtype=float)
        places = ranks(array, column.digits, column.better == "higher")
        rows = [
            replace(row, entries={**row.entries, column.key: replace(row.entries[column.key], rank=place)})
            for row, place in zip(rows, places, strict=True)
        ]
    return Block(block.title, rows)
