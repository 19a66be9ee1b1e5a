"""What stands in one row and column, from the runs behind it. Nothing is left out of a mean in silence."""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from bench.tables.columns import Shown
from bench.tables.options import Options
from bench.tables.statistics import bootstrap_interval, centre, deviation
from bench.tables.table import Entry

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
        return Entry(worst_status(runs), expected=expected, records=paths)
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


def field_entry(runs: dict[str, list[dict[str, Any]]], shown: Shown) -> Entry:
    """A measured or counted field of the row's runs, all tasks together.

    Counts and shares: the median (the lower one of two), as heads differ between tasks by a few parameters.
    Measurements: the mean.
    """
    cells = [cell for of_task in runs.values() for cell in of_task]
    paths = tuple(cell["path"] for cell in cells)
    name, whole = str(shown.definition.field), shown.definition.share_of
    values = [cell[name] for cell in cells if _is_number(cell[name])]
    if whole is not None:
        both = [(cell[name], cell[whole]) for cell in cells if _is_number(cell[name]) and _is_number(cell[whole])]
        values = [100 * part / total for part, total in both if total]
    if not values:
        status = "not_measured" if any(cell["status"] == "done" for cell in cells) else worst_status(cells)
        return Entry(status, records=paths)
    counted = shown.definition.unit == "count" or whole is not None
    value = float(sorted(values)[(len(values) - 1) // 2]) if counted else float(np.mean(values))
    if shown.definition.below is None:
        value *= {"GB": 1e-9, "score": shown.definition.scale}.get(shown.definition.unit, 1.0)
    return Entry("done", value=value, seeds=len(cells), expected=len(cells), records=paths)


def worst_status(runs: Iterable[dict[str, Any]]) -> str:
    """The worst status among runs none of which finished; "missing" if there are none."""
    found = {run["status"] for run in runs}
    return next((status for status in WORST if status in found), "missing")


def _is_number(value: Any) -> bool:
    return type(value) in {int, float} and not math.isnan(value)  # a bool is no number


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
