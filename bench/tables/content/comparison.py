"""Paired comparison of a table's entries with one method, from the stored predictions."""

from collections import Counter
from dataclasses import replace
from typing import Any

from bench.errors import unknown_name
from bench.tables.content.marks import baseline
from bench.tables.content.predictions import read_predictions
from bench.tables.content.significance import is_of, paired_test
from bench.tables.definition.table import Block, Entry, Row, Table

Recorded = tuple[dict[str, Any], str]  # a record's metrics, and the tokenizer of its BLEU

NO_PREDICTIONS = "predictions of the same seed are missing"


def with_comparison(table: Table, method: str) -> Table:
    """Fill in the p-value of each score against the row of `method` in its block.

    Each seed's predictions are compared with those of the same seed; of several seeds the largest p-value counts, as
    their examples are the same and cannot be pooled. Where `method` has several rows, each row is compared with the one
    of the same settings. MNLI's mismatched half and averages over tasks are not tested, nor is a metric that only
    shares its name with one that has a test here: the stored predictions have to give the record's score. Notes say
    what was not compared, and what only on some of its seeds.

    Raises:
        UserError: no row of that method.
    """
    methods = {row.method for block in table.blocks for row in block.rows}
    if method not in methods:
        raise unknown_name("method", method, methods)
    seeds = dict(zip(table.records.cells["path"], table.records.cells["seed"], strict=True))
    done = set(table.records.cells.loc[table.records.cells["status"] == "done", "path"])
    recorded = {
        path: (metrics, words)
        for path, metrics, words in zip(
            *(table.records.cells[name] for name in ("path", "metrics", "bleu_tokenizer")), strict=True
        )
    }
    untested: Counter[str] = Counter()
    in_part: Counter[str] = Counter()
    blocks = []
    for block in table.blocks:
        bases = [row for row in block.rows if row.method == method]
        rows = []
        for row in block.rows:
            entries, base = dict(row.entries), baseline(row, bases)
            for key in [] if row is base else _testable(table, row):
                if base is None or base.entries[key].value is None:
                    untested[_lacking(method, base, bases)] += 1
                    continue
                ours, theirs = (_by_seed(one.entries[key], seeds, done) for one in (row, base))
                found = _p_value(ours, theirs, key.rpartition(".")[2], recorded)
                if isinstance(found, str):
                    untested[found] += 1
                    continue
                entries[key] = replace(entries[key], p_value=found)
                shared = len(ours.keys() & theirs.keys())
                in_part[f"{shared} of {len(ours)}"] += shared < len(ours)
            rows.append(replace(row, entries=entries))
        blocks.append(Block(block.title, rows))
    note = f"* differs from {method} on the same examples (p < 0.05): McNemar's exact test for accuracies, bootstrap"
    notes = [
        *table.notes,
        f"{note} for other metrics; of several seeds the largest p counts; no correction for many tests",
        *(f"{count} score(s) not compared: {reason}" for reason, count in untested.items()),
        *(
            f"{count} score(s) compared on {some} seeds only, those that both have"
            for some, count in (+in_part).items()
        ),
    ]
    return replace(table, blocks=blocks, notes=notes)


def _lacking(method: str, base: Row | None, bases: list[Row]) -> str:
    """Why there is no score to compare with."""
    if base is not None:
        return f"{method} has no score"
    return f"{method} has several rows, none of the same settings" if bases else f"no row of {method} beside them"


def _testable(table: Table, row: Row) -> list[str]:
    keys = [column.key for column in table.columns if column.score and "." in column.key]
    return [key for key in keys if not key.endswith("_mismatched") and row.entries[key].value is not None]


def _by_seed(entry: Entry, seeds: dict[str, int], done: set[str]) -> dict[int, str]:
    return {seeds[path]: path for path in entry.records if path in done}


def _p_value(first: dict[int, str], second: dict[int, str], metric: str, recorded: dict[str, Recorded]) -> float | str:
    """The largest p-value of any seed, or why there is none."""
    values = []
    for seed in sorted(first.keys() & second.keys()):
        paths = first[seed], second[seed]
        ours, theirs = (read_predictions(path) for path in paths)
        if ours is None or theirs is None or ours.references != theirs.references or not ours.references:
            return NO_PREDICTIONS
        if not len(ours.references) == len(ours.predictions) == len(theirs.predictions):
            return NO_PREDICTIONS
        (own, words), (other, other_words) = (recorded[path] for path in paths)
        test = paired_test(metric, ours, words)
        if test is None:
            return f"there is no test for {metric} here"
        told = [(ours, own.get(metric)), (theirs, other.get(metric))]
        if words != other_words or not all(is_of(test, said, value) for said, value in told):
            return f"{metric} is not what is called so here: the stored predictions do not give the records' scores"
        values.append(test.p_value(ours, theirs))
    return max(values) if values else NO_PREDICTIONS
