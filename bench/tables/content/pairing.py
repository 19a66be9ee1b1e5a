"""Scores of two rows in one column, paired by seed, and by test item where both kept what they predicted."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from bench.tables.content.item_parts import SLOW, item_parts
from bench.tables.content.predictions import Predictions, read_predictions
from bench.tables.definition.table import Column, Entry, Table
from bench.tables.statistics.aggregate import Array


@dataclass(frozen=True)
class Finished:
    """What a finished record says of its scores.

    Attributes:
        path: the record's.
        task: its name.
        seed: of the run.
        metrics: by name.
        words: the tokenizer of BLEU.
    """

    path: str
    task: str
    seed: int
    metrics: dict[str, Any]
    words: str


@dataclass
class Runs:
    """The finished runs of one row in one column.

    Attributes:
        metric: the score's name; empty for the average over tasks, which has no items.
        scores: by seed, as the table shows them.
        cells: by seed.
    """

    metric: str
    scores: dict[int, float]
    cells: dict[int, Finished]

    @cached_property
    def parts(self) -> dict[int, tuple[str, Array]]:
        """By seed, which items they are, and each block of items' part in the score; without those that have none."""
        if self.metric.endswith("_mismatched"):  # MNLI's second half, of which no predictions are kept
            return {}
        found = {}
        for seed, cell in self.cells.items():
            said = read_predictions(cell.path)
            if said is None or not said.references or len(said.references) != len(said.predictions):
                continue
            raw = cell.metrics.get(self.metric)
            parts = item_parts(self.metric, said, cell.words, raw)
            if parts is not None:
                found[seed] = (_digest(said), parts * (self.scores[seed] / raw if raw else 100.0))
        return found


def finished(table: Table) -> dict[str, Finished]:
    """The finished records of a table by their paths."""
    cells = table.records.cells
    cells = cells[cells["status"] == "done"]
    told = zip(
        *(cells[name].to_numpy(object) for name in ("path", "task", "seed", "metrics", "bleu_tokenizer")), strict=True
    )
    return {path: Finished(path, task, int(seed), metrics, words) for path, task, seed, metrics, words in told}


def runs_of(done: Mapping[str, Finished], column: Column, entry: Entry) -> Runs:
    """The finished runs behind an entry; none where its scores are not all numbers, or not one a seed.

    Of an average there is one a seed where all tasks have the same seeds.
    """
    nothing = Runs("", {}, {})
    if entry.value is None or not entry.values or not np.isfinite(entry.values).all():
        return nothing
    cells = sorted((done[path] for path in entry.records if path in done), key=lambda cell: cell.seed)
    if column.task:
        by_seed = {cell.seed: cell for cell in cells}
        return Runs(column.key.rpartition(".")[2], dict(zip(by_seed, entry.values, strict=True)), by_seed)
    by_task: dict[str, list[int]] = {}
    for cell in cells:
        by_task.setdefault(cell.task, []).append(cell.seed)
    seeds = next(iter(by_task.values()), [])
    if len(seeds) != len(entry.values) or any(other != seeds for other in by_task.values()):
        return nothing
    return Runs("", dict(zip(seeds, entry.values, strict=True)), {})


def shared(first: Runs, second: Runs) -> list[int]:
    """The seeds that both have, in order."""
    return sorted(first.scores.keys() & second.scores.keys())


def differences(first: Runs, second: Runs) -> Array:
    """First minus second, shape `(seeds, blocks of items)`, of the seeds that both have.

    There is one block where items cannot be paired: some predictions are missing, have no parts in the score, or are of
    other items; and, of several seeds, for scores that take too long.
    """
    seeds = shared(first, second)
    several = len(seeds) > 1 and first.metric in SLOW
    ours, theirs = ({}, {}) if several or not seeds else (first.parts, second.parts)
    items = {side[seed][0] if seed in side else None for side in (ours, theirs) for seed in seeds}
    if len(items) != 1 or None in items:
        return np.array([[first.scores[seed] - second.scores[seed]] for seed in seeds]).reshape(len(seeds), 1)
    return np.array([ours[seed][1] - theirs[seed][1] for seed in seeds])


def _digest(said: Predictions) -> str:
    """Which items were predicted."""
    return hashlib.sha256(repr((said.references, said.groups)).encode()).hexdigest()
