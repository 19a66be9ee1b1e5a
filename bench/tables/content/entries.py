"""What stands in one row and column, from the runs behind it. Nothing is left out of a mean in silence."""

import math
from typing import Any

import numpy as np

from bench.tables.definition.columns import Shown
from bench.tables.definition.measures import COUNTS, FORETOLD
from bench.tables.definition.options import Options
from bench.tables.definition.table import Entry
from bench.tables.statistics.summary import bootstrap_interval, centre, deviation

# The worst that happened is what is shown where no run finished.
WORST = ("out_of_memory", "failed", "unsupported")


def score_entry(runs: list[dict[str, Any]], shown: Shown, expected: int, options: Options) -> Entry:
    """One task's metric.

    Args:
        runs: cells of one model, task, method and variant, one per seed.
        shown: the column.
        expected: how many seeds the grid asks for; 0 if it does not say.
        options: the statistic.
    """
    done = sorted((run for run in runs if run["status"] == "done"), key=lambda run: run["seed"])
    paths = tuple(run["path"] for run in runs)
    expected = max(expected, len({run["seed"] for run in runs}))
    if not done:
        return Entry(_worst({run["status"] for run in runs}), expected=expected, records=paths)
    if all(shown.metric not in run["metrics"] for run in done):
        return Entry("not_measured", expected=expected, records=paths)
    raw = [run["metrics"].get(shown.metric) for run in done]
    values = tuple(float("nan") if value is None else float(value) * shown.scale for value in raw)
    return _summary(values, len(done), expected, paths, options)


def average_entry(tasks: list[list[Entry]], options: Options) -> Entry:
    """The mean over tasks of the mean over each task's metrics; "incomplete" where one of them is not there.

    Where all tasks have the same number of seeds, seeds are averaged first, so that the deviation is that of the
    average over seeds.
    """
    entries = [entry for task in tasks for entry in task]
    paths = tuple(dict.fromkeys(path for entry in entries for path in entry.records))
    expected = max((entry.expected for entry in entries), default=0)
    if not entries or any(entry.value is None for entry in entries):
        return Entry("incomplete", expected=expected, records=paths)
    seeds = min(entry.seeds for entry in entries)
    if all(entry.seeds == seeds == entry.expected for entry in entries):
        per_task = np.array([np.mean([entry.values for entry in task], axis=0) for task in tasks])
        values = tuple(float(value) for value in per_task.mean(axis=0))
        return _summary(values, seeds, expected, paths, options)
    means = [math.fsum(entry.value or 0.0 for entry in task) / len(task) for task in tasks]
    return Entry("done", value=math.fsum(means) / len(means), seeds=seeds, expected=expected, records=paths)


def field_entry(
    runs: dict[str, list[dict[str, Any]]], shown: Shown, expected: dict[str, int], options: Options
) -> Entry:
    """A counted or measured field of a row.

    Counts of parameters, and shares of them, are told by any record: the median of all (the lower one of two), as heads
    differ between tasks by a few parameters. Measurements are those of finished cells: over seeds as scores are, over
    several tasks the mean, "incomplete" unless all of them are there.

    Args:
        runs: the row's cells, by task.
        shown: the column.
        expected: for each task that the row should have, how many seeds the grid asks for; 0 if it does not say.
        options: the statistic.
    """
    if {shown.definition.field, shown.definition.share_of} <= COUNTS | {None}:
        return _count([cell for of_task in runs.values() for cell in of_task], shown)
    entries = [_measurement(runs.get(task, []), shown, seeds, options) for task, seeds in expected.items()]
    if len(entries) == 1:
        return entries[0]
    if any(entry.value is not None for entry in entries):
        return average_entry([[entry] for entry in entries], options)
    paths = tuple(path for entry in entries for path in entry.records)
    return Entry(_worst({entry.status for entry in entries}), expected=1, records=paths)


def _count(cells: list[dict[str, Any]], shown: Shown) -> Entry:
    paths = tuple(cell["path"] for cell in cells)
    by_seed: dict[int, list[float]] = {}
    for cell, value in zip(cells, _values(cells, shown), strict=True):
        if not math.isnan(value):
            by_seed.setdefault(cell["seed"], []).append(value)
    if not by_seed:
        return Entry(_worst({cell["status"] for cell in cells}), records=paths)
    value = _lower_median([value for values in by_seed.values() for value in values])
    each = tuple(_lower_median(by_seed[seed]) for seed in sorted(by_seed))
    return Entry("done", value=value, values=each, seeds=len(each), records=paths)


def _measurement(cells: list[dict[str, Any]], shown: Shown, expected: int, options: Options) -> Entry:
    """One task's measurement, over seeds."""
    paths = tuple(cell["path"] for cell in cells)
    expected = max(expected, len({cell["seed"] for cell in cells}), 1)
    foretold = shown.definition.field in FORETOLD
    usable = [cell for cell in sorted(cells, key=lambda cell: cell["seed"]) if foretold or cell["status"] == "done"]
    values = tuple(value for value in _values(usable, shown) if not math.isnan(value))
    if not values:
        return Entry(_worst({cell["status"] for cell in cells}), expected=expected, records=paths)
    return _summary(values, len(values), expected, paths, options)


def _values(cells: list[dict[str, Any]], shown: Shown) -> list[float]:
    """The field of each cell in the column's unit; NaN where there is no number."""
    definition = shown.definition
    values = np.array([cell[str(definition.field)] for cell in cells], dtype=float)
    if definition.share_of is not None:
        wholes = np.array([cell[definition.share_of] for cell in cells], dtype=float)
        with np.errstate(all="ignore"):
            values = np.where(wholes == 0, np.nan, 100 * values / wholes)
    elif definition.below is None:
        values *= {"GB": 1e-9, "MB": 1e-6, "score": definition.scale}.get(definition.unit, 1.0)
    found: list[float] = values.tolist()
    return found


def _lower_median(values: list[float]) -> float:
    return sorted(values)[(len(values) - 1) // 2]


def _worst(found: set[str]) -> str:
    """The worst of the statuses of runs without a value: finished ones have not been measured, no runs are missing."""
    finished = found & {"done", "not_measured"}
    return next((status for status in WORST if status in found), "not_measured" if finished else "missing")


def _summary(values: tuple[float, ...], seeds: int, expected: int, paths: tuple[str, ...], options: Options) -> Entry:
    array = np.asarray(values, dtype=float)
    with np.errstate(all="ignore"):  # infinite scores give NaN, which is what is shown
        interval = bootstrap_interval(array, options.statistic, options.level) if options.interval else None
        return Entry(
            "done",
            value=centre(array, options.statistic),
            deviation=deviation(array),
            values=values,
            seeds=seeds,
            expected=expected,
            interval=interval,
            records=paths,
        )
