"""From a table with a row for each combination of components to one with a row for each component: what it does."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from bench.tables.content.caption import usual_seeds
from bench.tables.content.pairing import Finished, finished, runs_of
from bench.tables.definition.table import Block, Column, Entry, Row, Table, one_line
from bench.tables.statistics.aggregate import Array
from bench.tables.statistics.differences import interval, over_one, p_values
from bench.tables.statistics.factorial import MOOT, OFF, ON, Terms, effects, terms_of
from bench.tables.statistics.summary import deviation

CODES = {"on": ON, "off": OFF, "moot": MOOT}
MAIN, TOGETHER = "Component", "Together"
TIMES = " × "


@dataclass(frozen=True)
class Point:
    """One combination of components: its row, and the state of each."""

    row: Row
    states: dict[str, str]

    @property
    def off(self) -> list[str]:
        """Those that are off, parts of them left out."""
        return [name for name, state in self.states.items() if state == "off"]


def with_effects(table: Table) -> Table:
    """The table of what components do.

    Args:
        table: its rows are combinations of components, as `bench.tables.definition.settings.states_text` writes them in
            the last of a row's keys.
    """
    done, blocks, notes = finished(table), list[Block](), list[str]()
    for block in table.blocks:
        for points in _methods(block):
            first = points[0].row
            title = f"{first.title}{f' ({first.variant})' if first.variant else ''} on {block.title}"
            names = [name for name in points[0].states if any(point.states.get(name) == "on" for point in points)]
            if len(points) < 2 or not names:
                notes.append(f"{title}: none of its components was switched off, which makes no row")
                continue
            rows, terms = _rows(points, names, table, done)
            blocks.append(Block(title, rows))
            notes += [f"{title}: {said}" for said in _design_notes(points, names, terms)]
            notes += _complete(title, points, table)
    return replace(
        table,
        blocks=blocks,
        row_keys=(),
        effects=True,
        seeds=(usual := usual_seeds(blocks, table.columns)),
        notes=[f"mean of {usual} paired seeds" if usual > 1 else "1 seed", *table.notes, *map(one_line, notes)],
    )


def _methods(block: Block) -> list[list[Point]]:
    """The combinations of each method and variant, the one with the most components on first."""
    found: dict[tuple[str, str], list[Point]] = {}
    for row in block.rows:
        if row.keys[-1]:
            states = dict(pair.split("=") for pair in row.keys[-1].split())
            settings = row.variant.split(", ")[1:]  # the states themselves are the first
            plain = replace(row, variant=", ".join(settings))
            found.setdefault((row.method, plain.variant), []).append(Point(plain, states))
    return [sorted(points, key=lambda point: len(point.off)) for points in found.values()]


def _rows(points: list[Point], names: list[str], table: Table, done: Mapping[str, Finished]) -> tuple[list[Row], Terms]:
    """A row for each effect that the whole design tells, and for each component that it does not."""
    whole = terms_of(names, _states(points, names))
    wanted = [*((name,) for name in names), *(term for term in whole.names if len(term) > 1)]
    columns = {column.key: _entries(points, names, column, done) for column in table.columns}
    first = points[0].row
    rows = []
    for term in wanted:
        entries = {key: found.get(term, _missing(points, key)) for key, found in columns.items()}
        title, kind = TIMES.join(map(_words, term)), TOGETHER if len(term) > 1 else MAIN
        rows.append(Row(first.model, first.method, title, kind, "", entries, task=first.task))
    return rows, whole


def _entries(
    points: list[Point], names: list[str], column: Column, done: Mapping[str, Finished]
) -> dict[tuple[str, ...], Entry]:
    """What each effect is in one column, by the seeds that all its combinations have."""
    found = [(point, runs_of(done, column, point.row.entries[column.key]).scores) for point in points]
    there = [(point, scores) for point, scores in found if scores]
    seeds = sorted(set.intersection(*(set(scores) for _, scores in there))) if there else []
    if not seeds:
        return {}
    terms = terms_of(names, _states([point for point, _ in there], names))
    by_seed = effects(terms, np.array([[scores[seed] for seed in seeds] for _, scores in there]))
    entries = [point.row.entries[column.key] for point, _ in there]
    records = tuple(dict.fromkeys(path for entry in entries for path in entry.records))
    expected = max(entry.expected for entry in entries)
    return {
        term: _entry(values, expected=expected, records=records)
        for term, values in zip(terms.names, by_seed, strict=True)
    }


def _entry(values: Array, *, expected: int, records: tuple[str, ...]) -> Entry:
    each = tuple(float(value) for value in values)
    spread = over_one(values) if len(each) > 1 else None
    return Entry(
        "done",
        value=float(values.mean()),
        deviation=deviation(values),
        values=each,
        seeds=len(each),
        expected=expected,
        interval=None if spread is None else interval(spread),
        p_value=None if spread is None else float(p_values(spread)),
        records=records,
    )


def _missing(points: list[Point], key: str) -> Entry:
    paths = dict.fromkeys(path for point in points for path in point.row.entries[key].records)
    return Entry("missing", expected=1, records=tuple(paths))


def _states(points: list[Point], names: list[str]) -> Array:
    return np.array([[CODES[point.states[name]] for name in names] for point in points], dtype=float)


def _words(name: str) -> str:
    return name.replace("_", " ")


def _design_notes(points: list[Point], names: list[str], terms: Terms) -> list[str]:
    """What kind of design it is, and what it cannot tell apart."""
    most = max(len(point.off) for point in points)
    if most <= 1:
        notes = [f"{len(points)} combinations, one component off at a time: each is taken away beside all others"]
    else:
        notes = [f"{len(points)} combinations of {len(names)} components: effects are means over the others' states"]
    if any(state == "moot" for point in points for state in point.states.values()):
        inner = [_words(name) for name in names if any(point.states[name] == "moot" for point in points)]
        notes.append(f"{', '.join(inner)}: within what it is a part of, and nothing where that is off")
    if terms.unknown:
        notes.append(f"never off by itself, so that nothing is known of it: {', '.join(map(_words, terms.unknown))}")
    for term, others in terms.aliases.items():
        same = ", ".join(TIMES.join(map(_words, other)) for other in others)
        notes.append(f"{TIMES.join(map(_words, term))} cannot be told apart from {same}")
    return notes


def _complete(title: str, points: list[Point], table: Table) -> list[str]:
    """The scores of the complete method, which the effects are parts of."""
    row = points[0].row
    scores = []
    for column in (column for column in table.columns if column.score):
        entry = row.entries[column.key]
        if entry.value is not None:
            spread = "" if entry.deviation is None else f" ± {entry.deviation:.{column.digits}f}"
            name = f"{column.group} {column.title}".strip()
            scores.append(f"{name} {entry.value:.{column.digits}f}{spread}")
    return [f"{title}, complete: {'; '.join(scores)}"] if scores and not points[0].off else []
