"""`bench compare`: the methods of an experiment against each other, over tasks and seeds, from its table."""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from bench.errors import NothingToShowError, UserError, unknown_name
from bench.tables.definition.table import Block, Row, Table
from bench.tables.statistics.aggregate import (
    RESAMPLES,
    Array,
    improvement,
    interquartile_mean,
    profile,
    stratified_interval,
)
from bench.tables.statistics.multiple import FEWEST, holm, letters, paired_t
from bench.tables.statistics.summary import bootstrap_interval

FEWEST_TASKS = 10  # for ranks: Demšar 2006, https://jmlr.org/papers/v7/demsar06a.html, section 3.2.2
THRESHOLDS = 21  # of a profile
Scores = dict[str, dict[int, float]]  # by task and seed; larger is better
Interval = tuple[float, float] | None


@dataclass(frozen=True)
class Difference:
    """A method minus another.

    Attributes:
        value: the mean over seeds, in the table's unit.
        interval: percentile bootstrap over seeds; None for fewer than two.
        seeds: that both have.
        p_value: of the paired t-test over seeds; None for fewer than three.
        corrected: the same, corrected for all comparisons that were made.
    """

    value: float
    interval: Interval
    seeds: int
    p_value: float | None
    corrected: float | None = None

    def is_clear(self, alpha: float) -> bool:
        """Whether the two can be told apart."""
        return self.corrected is not None and self.corrected < alpha


@dataclass(frozen=True)
class Standing:
    """What is said of one method.

    Attributes:
        method: as on the command line, with the settings that tell its row apart.
        title: for people.
        mean: over tasks and seeds.
        iqm, interval: the interquartile mean of all its runs, and its stratified bootstrap interval.
        seeds: that all tasks have.
        against: the difference from the method that was named; None for itself.
        improvement: the probability that a run of it is better than one of that method.
        tasks: the differences by task.
        letters: methods that share one cannot be told apart; empty where nothing could be tested.
        rank: the average rank over tasks, where there are enough of them.
        profile: the share of its runs above each of `Comparison.thresholds`.
    """

    method: str
    title: str
    mean: float
    iqm: float
    interval: Interval
    seeds: int
    against: Difference | None = None
    improvement: float | None = None
    tasks: dict[str, Difference] = field(default_factory=dict)
    letters: str = ""
    rank: float | None = None
    profile: tuple[float, ...] = ()


@dataclass(frozen=True)
class Comparison:
    """The methods on one model, best first. Attributes: see `Standing`; `notes`, one sentence each."""

    block: str
    against: str
    tasks: list[str]
    standings: list[Standing]
    thresholds: tuple[float, ...]
    notes: list[str]


def compare(table: Table, against: str, level: float = 0.95) -> list[Comparison]:
    """Compare the methods of each block that has the method `against`.

    Args:
        table: of an experiment.
        against: a method's name.
        level: of intervals; what remains is the level of the tests, over all comparisons of a block.

    Raises:
        UserError: no such method, or nothing to compare it with.
    """
    names = {row.method for block in table.blocks for row in block.rows}
    if against not in names:
        raise unknown_name("method", against, names)
    found = [_compared(table, block, against, level) for block in table.blocks]
    compared = [one for one in found if one is not None]
    if not compared:
        raise NothingToShowError(
            f"no model of '{table.experiment}' has scores of {against} and of another method on the same tasks"
        )
    return compared


def _compared(table: Table, block: Block, against: str, level: float) -> Comparison | None:
    scores = {_name(row): _scores(table, row) for row in block.rows}
    rows = {_name(row): row for row in block.rows}
    bases = [name for name, row in rows.items() if row.method == against and scores[name]]
    if len(bases) > 1:
        raise UserError(f"{against} has several rows for {block.title}: {', '.join(bases)}; select one of the settings")
    if not bases:
        return None
    (base,) = bases
    tasks = [task for task in scores[base] if any(task in scores[name] for name in scores if name != base)]
    if not tasks:
        return None
    whole = {name: by_task for name, by_task in scores.items() if all(task in by_task for task in tasks)}
    matrices = {name: _matrix(by_task, tasks) for name, by_task in whole.items()}
    matrices = {name: matrix for name, matrix in matrices.items() if matrix.size}
    if base not in matrices or len(matrices) < 2:
        return None
    order = sorted(matrices, key=lambda name: -float(matrices[name].mean()))
    overall = {
        (one, other): _difference(_over_tasks(whole[one], tasks), _over_tasks(whole[other], tasks), level)
        for one, other in itertools.combinations(order, 2)
    }
    single = {
        (name, task): _difference(whole[name][task], whole[base][task], level)
        for name in order if name != base for task in tasks if len(tasks) > 1
    }  # fmt: skip
    made = [*overall.values(), *single.values()]
    corrected = _corrected(made)
    overall = dict(zip(overall, corrected[: len(overall)], strict=True))
    single = dict(zip(single, corrected[len(overall) :], strict=True))
    tested = any(one.corrected is not None for one in overall.values())
    told = letters(order, lambda a, b: overall[a, b].is_clear(1 - level)) if tested else {}
    thresholds = _thresholds(matrices)
    ranks = _ranks(matrices, order) if len(tasks) >= FEWEST_TASKS else {}
    standings = [
        Standing(
            name, _title(rows[name]), float(matrices[name].mean()), interquartile_mean(matrices[name]),
            stratified_interval(matrices[name], interquartile_mean, level), len(matrices[name]),
            against=None if name == base else _towards(overall, name, base),
            improvement=None if name == base else improvement(matrices[name], matrices[base]),
            tasks={task: single[name, task] for task in tasks if (name, task) in single},
            letters=told.get(name, ""), rank=ranks.get(name),
            profile=tuple(float(share) for share in profile(matrices[name], thresholds)),
        )
        for name in order
    ]  # fmt: skip
    left = [name for name in scores if name not in matrices]
    notes = list(_notes(made, len(tasks), left, level, tested=tested))
    return Comparison(block.title, base, tasks, standings, thresholds, notes)


def _scores(table: Table, row: Row) -> Scores:
    """A row's scores by task and seed: the mean over the task's metrics; finite ones of finished cells."""
    cells = table.records.cells
    seeds = dict(zip(cells["path"], cells["seed"], strict=True))
    done = set(cells.loc[cells["status"] == "done", "path"])
    found: dict[str, dict[int, list[float]]] = {}
    for column in table.columns:
        entry = row.entries[column.key]
        if not column.task or column.better not in ("higher", "lower") or not entry.values:
            continue
        sign = 1.0 if column.better == "higher" else -1.0
        ran = sorted({seeds[path] for path in entry.records if path in done})
        if len(ran) == len(entry.values):
            for seed, value in zip(ran, entry.values, strict=True):
                found.setdefault(column.task, {}).setdefault(int(seed), []).append(sign * value)
    return {
        task: {seed: float(np.mean(values)) for seed, values in by_seed.items() if np.isfinite(values).all()}
        for task, by_seed in found.items()
    }


def _matrix(scores: Scores, tasks: list[str]) -> Array:
    """`(seeds, tasks)`, of the seeds that all tasks have."""
    shared = sorted(set.intersection(*(set(scores[task]) for task in tasks)))
    return np.array([[scores[task][seed] for task in tasks] for seed in shared], dtype=float).reshape(-1, len(tasks))


def _over_tasks(scores: Scores, tasks: list[str]) -> dict[int, float]:
    shared = set.intersection(*(set(scores[task]) for task in tasks))
    return {seed: float(np.mean([scores[task][seed] for task in tasks])) for seed in shared}


def _difference(first: Mapping[int, float], second: Mapping[int, float], level: float) -> Difference:
    shared = sorted(first.keys() & second.keys())
    values = np.array([first[seed] - second[seed] for seed in shared])
    interval = bootstrap_interval(values, level=level, resamples=RESAMPLES)
    return Difference(float(values.mean()) if shared else float("nan"), interval, len(shared), paired_t(values))


def _corrected(made: list[Difference]) -> list[Difference]:
    """With p-values corrected for all that have one."""
    tested = [one.p_value for one in made if one.p_value is not None]
    values = iter(holm(tested))
    return [
        one if one.p_value is None
        else Difference(one.value, one.interval, one.seeds, one.p_value, next(values)) for one in made
    ]  # fmt: skip


def _towards(overall: Mapping[tuple[str, str], Difference], name: str, base: str) -> Difference:
    """A method minus the base, whichever of the two came first."""
    if (name, base) in overall:
        return overall[name, base]
    found = overall[base, name]
    interval = None if found.interval is None else (-found.interval[1], -found.interval[0])
    return Difference(-found.value, interval, found.seeds, found.p_value, found.corrected)


def _thresholds(matrices: Mapping[str, Array]) -> tuple[float, ...]:
    everything = np.concatenate([matrix.ravel() for matrix in matrices.values()])
    return tuple(float(value) for value in np.linspace(everything.min(), everything.max(), THRESHOLDS))


def _ranks(matrices: Mapping[str, Array], order: list[str]) -> dict[str, float]:
    """Average ranks over tasks, 1 for the best; ties have their mean rank."""
    from scipy.stats import rankdata

    means = np.array([matrices[name].mean(axis=0) for name in order])
    return dict(zip(order, (float(rank) for rank in rankdata(-means, axis=0).mean(axis=1)), strict=True))


def _notes(made: list[Difference], tasks: int, left: list[str], level: float, *, tested: bool) -> Iterator[str]:
    count = sum(one.p_value is not None for one in made)
    if tested:
        yield (
            f"paired t-tests over seeds, {count} comparisons, all corrected together (Holm 1979) at {1 - level:.2g}; "
            "methods that share a letter cannot be told apart"
        )
    else:
        yield f"nothing is tested: no two methods share {FEWEST} seeds"
    yield f"intervals: {level:.0%}, percentile bootstrap over seeds, {RESAMPLES} resamples"
    if few := sum(one.p_value is None for one in made) if tested else 0:
        yield f"{few} comparison(s) not tested: fewer than {FEWEST} seeds, or the same difference at every seed"
    if tasks < FEWEST_TASKS:
        yield f"no average ranks: they take {FEWEST_TASKS} tasks to tell anything (Demšar 2006), here there are {tasks}"
    if left:
        yield f"left out, without scores on all tasks: {', '.join(left)}"


def _name(row: Row) -> str:
    return f"{row.method} ({row.variant})" if row.variant else row.method


def _title(row: Row) -> str:
    return f"{row.title} ({row.variant})" if row.variant else row.title
