"""Trials without training: a made record in milliseconds, through the claims that every launcher uses."""

import math
import random
import time
from pathlib import Path

from bench.records.claims import ClaimedError
from bench.records.schema import CellIdentity, Failure, Metrics, Record, Status, Time
from bench.records.store import folder_of, stamp_of, write_record
from bench.running.attempt import run_in_sweep
from bench.sweeping.task import ELSEWHERE

METRIC = "accuracy"
ARGUMENTS = ["tune", "experiment=miniature/glue", "task=miniature/sst2"]


def hill(cell, best, width=1.0):
    """A known score: 0.9 at the best rate, falling with the distance in decades; a little noise."""
    rate = cell.config["training"]["learning_rate"]
    noise = random.Random(f"{rate} {cell.seed}").uniform(-0.005, 0.005)
    return 0.9 - 0.1 * (math.log10(rate / best) / width) ** 2 + noise


def runner(score, seconds=0.0, log=None, took=lambda cell: 1.0, made=lambda cell: {}):
    """What stands in for `run_cell`: the record says what `score` gives, a number or a status, and what it `took`.

    `made` gives what else is in the record of a cell that has a score.
    """

    def run_cell(cell, report):
        time.sleep(seconds)
        found = score(cell)
        if isinstance(found, Status):
            failure, time_ = Failure("RuntimeError", "it broke", "", "train"), Time(total=took(cell))
            record = Record(CellIdentity.of(cell), found, {}, failure, time=time_)
        else:
            metrics = Metrics(METRIC, {METRIC: found})
            told = {"environment": {}, "metrics": metrics, "time": Time(train=took(cell))} | made(cell)
            record = Record(CellIdentity.of(cell), Status.done, **told)
        if log is not None:
            with Path(log).open("a") as file:
                file.write(f"{cell.id}\n")
        return record, write_record(record, folder_of(cell.config["results_dir"], cell))

    return run_cell


def launch(configurations, overrides):
    """What stands in for a launcher."""

    def run(cells):
        planned = {folder: stamp_of(folder) for folder in cells}
        return [_status(cell, planned[folder]) for folder, (_, cell) in cells.items()]

    return run


def _status(cell, planned):
    try:
        return run_in_sweep(cell, planned=planned).status.value
    except ClaimedError:
        return ELSEWHERE
