"""What the page is told, as plain data: an overview of everything, and parts of it where somebody looks closer.

Times of day, not ages: as long as nothing happens nothing changes, and the page counts for itself.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from bench.sweeping.launchers.log import LOG
from bench.sweeping.status import FAILURES, ORDER, RUNNING
from bench.watching.watch import Cell, Experiment

PAGE = 100  # cells that are told at a time


def overview(results_dir: str, experiments: Iterable[Experiment]) -> dict[str, Any]:
    """Every experiment: its cells by state, and by row and task; what runs; the first failures."""
    return {"results": results_dir, "states": ORDER, "experiments": [_experiment(one) for one in experiments]}


def cells_told(experiment: Experiment, wanted: dict[str, str], start: int) -> dict[str, Any]:
    """The cells of which `wanted` (model, task, method, state: "failures" for all that did not end well) is true.

    Args:
        experiment: whose cells.
        wanted: what is asked for, by name.
        start: the first of `PAGE` cells.
    """
    states = {"failures": {str(state) for state in FAILURES}}.get(wanted.get("state", ""), {wanted.get("state", "")})
    found = [
        cell
        for cell in experiment.cells.values()
        if all(getattr(cell, key) == value for key, value in wanted.items() if key != "state")
        and ("state" not in wanted or cell.state in states)
    ]
    found.sort(key=lambda cell: (cell.model, cell.task, cell.method, -1 if cell.seed is None else cell.seed, cell.id))
    return {"total": len(found), "start": start, "cells": [_cell(cell) for cell in found[start : start + PAGE]]}


def _experiment(experiment: Experiment) -> dict[str, Any]:
    counts = experiment.counts
    tasks = sorted({cell.task for cell in experiment.cells.values()})
    grid: dict[tuple[str, str], dict[str, dict[str, int]]] = defaultdict(lambda: defaultdict(lambda: defaultdict(int)))
    for cell in experiment.cells.values():
        grid[cell.model, cell.method][cell.task][cell.state] += 1
    return {
        "name": experiment.name,
        "cells": counts.total(),
        "counts": {state: counts[state] for state in ORDER if counts[state]},
        "sweeps": experiment.sweeps,
        "seconds_left": None if experiment.seconds_left is None else round(experiment.seconds_left),
        "tasks": tasks,
        "rows": [
            {"model": model, "method": method, "of": [by_task.get(task) for task in tasks]}
            for (model, method), by_task in sorted(grid.items())
        ],
        "running": [_running(cell) for cell in experiment.cells.values() if cell.state == RUNNING],
        "failures": cells_told(experiment, {"state": "failures"}, 0),
    }


def _running(cell: Cell) -> dict[str, Any]:
    owner, now = None if cell.claim is None else cell.claim.owner, cell.progress
    return {
        "id": cell.id,
        "host": None if owner is None else owner.host,
        "pid": None if owner is None else owner.pid,
        "since": None if owner is None else owner.since,
        "phase": None if now is None else now.phase,
        "step": None if now is None else now.step,
        "total": None if now is None else now.total,
        "loss": None if now is None else now.loss,
        "losses": [] if now is None else now.losses,
    }


def _cell(cell: Cell) -> dict[str, Any]:
    seen = cell.seen
    return {
        "id": cell.id,
        "seed": cell.seed,
        "state": cell.state,
        "metric": "" if seen is None else seen.metric,
        "score": None if seen is None else seen.score,
        "seconds": None if seen is None else seen.seconds,
        "error": "" if seen is None else seen.error,
        "log": cell.folder is not None and (cell.folder / LOG).is_file(),
    }
