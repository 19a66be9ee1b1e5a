"""`bench compare`: from an experiment's table to who differs from whom, and how surely. Read `contest` first."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from bench.errors import UserError, unknown_name
from bench.tables.content.overall import Overall, overall
from bench.tables.content.pairing import Finished, Runs, differences, finished, runs_of, shared
from bench.tables.content.ties import corrected, lettered, tested, unit_of
from bench.tables.definition.table import Block, Column, Row, Table
from bench.tables.statistics.aggregate import LEVEL, RESAMPLES, Array
from bench.tables.statistics.differences import bootstrapped, interval, p_values, spread_of


@dataclass
class Standing:
    """One method on one task.

    Attributes:
        method: its name.
        mean: over its seeds.
        seeds: how many it has.
        paired: how many it shares with the method that all are held against.
        difference: from that method, on the shared seeds; None for itself, or where no seed is shared.
        bootstrap: percentile interval of `difference`; None for a single number.
        interval: of the test.
        unit: what the test took as drawn: seeds and items, seeds, items; none: there is no test of a single number.
        p_value, corrected: of the test, before and after Holm's correction.
        letters: methods that share one cannot be told apart; empty where nothing can be tested.
    """

    method: str
    mean: float
    seeds: int
    paired: int = 0
    difference: float | None = None
    bootstrap: tuple[float, float] | None = None
    interval: tuple[float, float] | None = None
    unit: str = ""
    p_value: float | None = None
    corrected: float | None = None
    letters: str = ""


@dataclass
class TaskContest:
    """All methods on one task, the best first.

    Attributes:
        block: the model's title.
        column: the score's.
        standings: one a method.
        raw: p-values of all pairs, shape `(methods, methods)`; NaN where there is no test.
    """

    block: str
    column: Column
    standings: list[Standing]
    raw: Array


@dataclass
class Contest:
    """What `bench compare` says.

    Attributes:
        name: for files.
        title: of the experiment's table.
        against: the method that all are held against.
        comparisons: how many tests Holm's correction is over.
        tasks: one a model and task.
        overall: one a model, over its tasks.
        notes: one sentence each.
    """

    name: str
    title: str
    against: str
    comparisons: int
    tasks: list[TaskContest]
    overall: list[Overall]
    notes: list[str] = field(default_factory=list)


def contest(table: Table, against: str) -> Contest:
    """Hold all methods of a table of scores against one of them, and against each other.

    Raises:
        UserError: no such method, fewer than two methods, or a method that was run with several settings.
    """
    _check(table, against)
    done = finished(table)
    tasks = [
        _on_task(done, block, column, against)
        for block in table.blocks
        for column in table.columns
        if column.score and column.task
    ]
    tasks = [one for one in tasks if len(one.standings) > 1]
    if not tasks:
        raise UserError("nothing to compare: no task has finished scores of two methods")
    ranked = [overall(table, done, block, against) for block in table.blocks]
    over_tasks = [one for one in ranked if one is not None]
    count = _correct(tasks, over_tasks, against)
    lacking = sum(int(np.isnan(one.raw[np.triu_indices(len(one.raw), 1)]).sum()) for one in tasks)
    return Contest(
        f"{table.experiment.replace('/', '-')}-compare-{against}",
        table.title,
        against,
        count,
        tasks,
        over_tasks,
        [*_notes(count, lacking), *(note for one in over_tasks for note in one.notes), *table.notes],
    )


def _check(table: Table, against: str) -> None:
    methods = {row.method for block in table.blocks for row in block.rows}
    if against not in methods:
        raise unknown_name("method", against, methods)
    if len(methods) < 2:
        raise UserError(f"'{table.experiment}' has records of {against} only; a comparison takes two methods")
    for block in table.blocks:
        for row in block.rows:
            several = [one.variant for one in block.rows if one.method == row.method]
            if len(several) > 1:
                raise UserError(
                    f"{row.method} on {block.title} has cells of different settings or data ({'; '.join(several)}), "
                    "which cannot be compared as one method; keep the records of one kind in a results_dir of their own"
                )


def _on_task(done: Mapping[str, Finished], block: Block, column: Column, against: str) -> TaskContest:
    sign = -1.0 if column.better == "lower" else 1.0
    there = [(row, runs) for row in block.rows if (runs := runs_of(done, column, row.entries[column.key])).scores]
    there.sort(key=lambda pair: -sign * float(np.mean(list(pair[1].scores.values()))))
    base = next((runs for row, runs in there if row.method == against), None)
    standings = [_standing(row, runs, base) for row, runs in there]
    return TaskContest(block.title, column, standings, tested([runs for _, runs in there]).values)


def _standing(row: Row, runs: Runs, base: Runs | None) -> Standing:
    standing = Standing(row.method, float(np.mean(list(runs.scores.values()))), len(runs.scores))
    if base is None or base is runs or not shared(runs, base):
        return standing
    apart = differences(runs, base)
    standing.paired = len(apart)
    standing.difference = float(apart.mean())
    standing.unit = unit_of(apart)
    spread = spread_of(apart)
    if spread is not None:
        standing.bootstrap, standing.interval = bootstrapped(apart), interval(spread)
        standing.p_value = float(p_values(spread))
    return standing


def _correct(tasks: list[TaskContest], over_tasks: list[Overall], against: str) -> int:
    """Correct all p-values at once and give letters by them; how many there were."""
    ranked = [one for one in over_tasks if one.raw is not None]
    values, count = corrected([*(one.raw for one in tasks), *(one.raw for one in ranked if one.raw is not None)])
    for one, found in zip(tasks, values, strict=False):
        base = next((at for at, standing in enumerate(one.standings) if standing.method == against), None)
        for place, (standing, text) in enumerate(zip(one.standings, lettered(found), strict=True)):
            standing.letters = text
            if base is not None and standing.p_value is not None:
                standing.corrected = float(found[place, base])
    for one_overall, found in zip(ranked, values[len(tasks) :], strict=True):
        one_overall.corrected = found
    return count


def _notes(count: int, lacking: int) -> list[str]:
    notes = [
        f"Holm's correction over all {count} comparisons of this call: every pair of methods on every task",
        "methods that share a letter cannot be told apart at 5 % after the correction",
        f"bootstrap: {100 * LEVEL:g} %, {RESAMPLES} resamples, seed 0; too narrow of few seeds, unlike the tests' own",
    ]
    if lacking:
        notes.append(
            f"{lacking} pair(s) without a test: one shared seed or none, and no predictions that give the score; "
            "methods that lack them have no letter"
        )
    return notes
