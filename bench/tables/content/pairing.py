"""Scores of two methods on one task, paired by seed, and by test item where both kept what they predicted."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from bench.tables.content.predictions import read_predictions
from bench.tables.content.significance import is_of, paired_test
from bench.tables.definition.table import Column, Entry, Table
from bench.tables.statistics.aggregate import Array


@dataclass
class Runs:
    """The finished runs of one method on one task.

    Attributes:
        metric: the score's name.
        scores: by seed, as the table shows them.
        cells: by seed, the record's path, metrics and tokenizer of BLEU.
    """

    metric: str
    scores: dict[int, float]
    cells: dict[int, tuple[str, dict[str, Any], str]]

    @cached_property
    def parts(self) -> dict[int, tuple[list[Any], Array]]:
        """By seed, the references, and each block of items' part in the score; without those that have none."""
        found = {}
        for seed, (path, metrics, words) in self.cells.items():
            said = read_predictions(path)
            if said is None or not said.references or len(said.references) != len(said.predictions):
                continue
            test = paired_test(self.metric, said, words)
            if test is None or test.parts is None or not is_of(test, said, metrics.get(self.metric)):
                continue
            raw = metrics[self.metric]
            found[seed] = (said.references, test.parts(said) * (self.scores[seed] / raw if raw else 100.0))
        return found


def runs_of(table: Table, column: Column, entry: Entry) -> Runs:
    """The finished runs behind an entry; none where its scores are not all numbers."""
    if entry.value is None or not np.isfinite(entry.values).all():
        return Runs("", {}, {})
    cells = table.records.cells
    cells = cells[cells["path"].isin(entry.records) & (cells["status"] == "done")].sort_values("seed")
    rows = zip(cells["path"], cells["metrics"], cells["bleu_tokenizer"], strict=True)
    by_seed = dict(zip((int(seed) for seed in cells["seed"]), rows, strict=True))
    return Runs(column.key.rpartition(".")[2], dict(zip(by_seed, entry.values, strict=True)), by_seed)


def differences(first: Runs, second: Runs) -> Array:
    """First minus second, shape `(seeds, blocks of items)`, of the seeds that both have.

    There is one block where items cannot be paired: some predictions are missing, have no parts in the score, or are of
    other items.
    """
    seeds = sorted(first.scores.keys() & second.scores.keys())
    plain = np.array([[first.scores[seed] - second.scores[seed]] for seed in seeds]).reshape(len(seeds), 1)
    ours, theirs = first.parts, second.parts
    if not seeds or any(seed not in ours or seed not in theirs for seed in seeds):
        return plain
    items = ours[seeds[0]][0]
    if any(side[seed][0] != items for side in (ours, theirs) for seed in seeds):
        return plain
    return np.array([ours[seed][1] - theirs[seed][1] for seed in seeds])
