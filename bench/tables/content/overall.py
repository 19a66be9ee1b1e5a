"""The methods of one block over all its tasks: interquartile mean, probability of improvement, profile, ranks."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from bench.tables.content.pairing import Finished, runs_of
from bench.tables.definition.metrics import metric_of
from bench.tables.definition.table import Block, Column, Table
from bench.tables.statistics.aggregate import (
    Array,
    interquartile_mean,
    performance_profile,
    probability_of_improvement,
    stratified_interval,
)

ENOUGH = 10  # tasks from which on ranks are compared
SHARES = (0.1, 0.25, 0.5, 0.75, 0.9)  # quantiles of all runs, at which profiles are given


@dataclass
class OverTasks:
    """One method over all tasks.

    Attributes:
        iqm, iqm_interval: interquartile mean of its runs.
        improvement, improvement_interval: the probability that a run of it beats one of the method held against.
        profile: share of its runs above each threshold.
        rank: mean over tasks, 1 is best; None below ten tasks.
        runs: the score of every run, for figures.
    """

    method: str
    iqm: float
    iqm_interval: tuple[float, float] | None
    improvement: float | None
    improvement_interval: tuple[float, float] | None
    profile: list[float]
    rank: float | None = None
    runs: Array = field(default_factory=lambda: np.empty(0), repr=False)


@dataclass
class Overall:
    """All methods of a block that have every task.

    Attributes:
        block: the model's title.
        tasks: how many.
        seeds: of each method and task.
        thresholds: of the profiles.
        methods: the best interquartile mean first.
        friedman: p-value that all methods rank alike.
        raw: Wilcoxon's p-values of all pairs over tasks; None below ten tasks.
        corrected: the same after Holm's correction.
        notes: one sentence each.
    """

    block: str
    tasks: int
    seeds: int
    thresholds: list[float]
    methods: list[OverTasks]
    friedman: float | None = None
    raw: Array | None = None
    corrected: Array | None = None
    notes: list[str] = field(default_factory=list)


def overall(table: Table, done: Mapping[str, Finished], block: Block, against: str) -> Overall | None:
    """The block over its tasks; None where no two methods have two tasks and a seed in common.

    Metrics that are better below or have no bounds are left out, as from averages. Of a method only seeds count that
    all others have too, on every task.
    """
    columns = [column for column in table.columns if column.score and column.task]
    runs = {
        row.method: {column.key: runs_of(done, column, row.entries[column.key]).scores for column in columns}
        for row in block.rows
    }
    columns = [column for column in columns if _averaged(table, block, column)]
    columns = [column for column in columns if any(scores[column.key] for scores in runs.values())]
    whole = {method: of for method, of in runs.items() if all(of[column.key] for column in columns)}
    every = [set(of[column.key]) for of in whole.values() for column in columns]
    seeds = sorted(set.intersection(*every)) if every else []
    if len(columns) < 2 or len(whole) < 2 or not seeds:
        return None
    scores = {
        method: np.array([[of[column.key][seed] for column in columns] for seed in seeds])
        for method, of in whole.items()
    }
    thresholds = np.unique(np.round(np.quantile(np.stack([*scores.values()]), SHARES), 2))
    methods = [
        _over_tasks(method, of, scores.get(against), method == against, thresholds) for method, of in scores.items()
    ]
    methods.sort(key=lambda one: -one.iqm)
    found = Overall(block.title, len(columns), len(seeds), thresholds.tolist(), methods)
    if left := sorted(runs.keys() - whole.keys()):
        found.notes.append(f"not over tasks, as a task is missing: {', '.join(left)}")
    _rank(found, {method: of.mean(axis=0) for method, of in scores.items()})
    return found


def _averaged(table: Table, block: Block, column: Column) -> bool:
    paths = {path for row in block.rows for path in row.entries[column.key].records}
    cells = table.records.cells
    tasks = cells.loc[cells["path"].isin(paths), "task"]
    return bool(len(tasks)) and metric_of(table.records, tasks.iloc[0], column.key.rpartition(".")[2]).averaged


def _over_tasks(method: str, scores: Array, base: Array | None, itself: bool, thresholds: Array) -> OverTasks:
    several = len(scores) > 1
    known = base is not None and not itself
    return OverTasks(
        method,
        float(interquartile_mean(scores)),
        stratified_interval(interquartile_mean, [scores]) if several else None,
        float(probability_of_improvement(scores, base)) if known and base is not None else None,
        stratified_interval(probability_of_improvement, [scores, base])
        if several and known and base is not None
        else None,
        performance_profile(scores, thresholds).tolist(),
        runs=scores.ravel(),
    )


def _rank(found: Overall, means: dict[str, Array]) -> None:
    """Mean ranks and their tests, by Demšar 2006 and, for the pairs, Benavoli et al. 2016: Wilcoxon, not Nemenyi."""
    if found.tasks < ENOUGH:
        found.notes.append(f"no ranks nor critical differences: {found.tasks} tasks, too few below {ENOUGH}")
        return
    from scipy.stats import friedmanchisquare, rankdata, wilcoxon

    table = np.array([means[one.method] for one in found.methods])
    for one, rank in zip(found.methods, rankdata(-table, axis=0).mean(axis=1), strict=True):
        one.rank = float(rank)
    if len(table) > 2:
        found.friedman = float(friedmanchisquare(*table).pvalue)
    found.raw = np.ones((len(table), len(table)))
    for first in range(len(table)):
        for second in range(first):
            apart = table[first] - table[second]
            found.raw[first, second] = found.raw[second, first] = float(wilcoxon(apart).pvalue) if apart.any() else 1.0
