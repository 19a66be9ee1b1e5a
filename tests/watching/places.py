"""Results folders in the middle of a sweep: cells in every state, without running anything."""

import json
from dataclasses import asdict, replace
from pathlib import Path

from bench.records.owner import Owner
from bench.records.progress import FILE as PROGRESS
from bench.records.progress import Progress
from bench.records.schema import Failure, Status
from bench.sweeping.announcement import FOLDER
from tests.tables.made_records import identified, make_record, save

EXPERIMENT = "miniature/glue"
METHODS = ("full", "bitfit", "lora", "ia3", "adapter_s")
TASKS = ("miniature/sst2", "miniature/cola", "miniature/rte")
DEAD = Owner("elsewhere", "another machine", 1, "", "2026-01-01T00:00:00+00:00")


def fill(results: Path, seeds: int = 3, methods: tuple[str, ...] = METHODS, tasks: tuple[str, ...] = TASKS) -> None:
    """Every method on every task; the last method's cells are failed, running, interrupted and waiting."""
    *finished, last = methods
    save(results, *(_done(method, task, seed) for method in finished for task in tasks for seed in range(seeds)))
    failed = replace(
        make_record(method=last, task=tasks[0], status=Status.failed),
        error=Failure("ValueError", "<b>no</b> such & thing\nmore of it", "Traceback …", "train"),
    )
    memory = replace(make_record(method=last, task=tasks[1], status=Status.out_of_memory))
    for path in save(results, failed, memory):
        (path.parent / "log.txt").write_text("begins\n\x1b[31mred\x1b[0m\n10 %\r20 %\r30 %\nValueError: <b>no</b>\n")
    run(results, last, tasks[2])
    told = claim(results, "interrupted", Owner.this_process(), pid=2**22 + 1) / PROGRESS
    told.write_text(json.dumps(asdict(Progress("miniature/roberta", tasks[2], last, 8, "train", 7, 90))))
    announce(results, [(f"waiting-{seed}", last, tasks[2], seed) for seed in range(2, seeds + 2)])


def _done(method: str, task: str, seed: int):
    score = 0.5 + (seed * 7919 + len(method) * 13) % 400 / 1000
    return make_record(method=method, task=task, seed=seed, scores={"accuracy": score}, grid=[])


def run(results: Path, method: str, task: str, seed: int = 1) -> Path:
    """A cell that this very process runs now."""
    folder = claim(results, f"running-{method}-{seed}", Owner.this_process())
    losses = [1.0 / (1 + step / 9) for step in range(30)]
    now = Progress("miniature/roberta", task, method, seed, "train", 30, 90, losses[-1], losses)
    (folder / PROGRESS).write_text(json.dumps(asdict(now)))
    return folder


def claim(results: Path, name: str, owner: Owner, **other: int) -> Path:
    folder = results / EXPERIMENT / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "claim-1.json").write_text(json.dumps(asdict(owner) | other))
    return folder


def announce(results: Path, cells: list[tuple[str, str, str, int]], owner: Owner | None = None) -> None:
    """A sweep of this process that is about to run cells, each as much work as those that took 12 seconds."""
    owner = owner or Owner.this_process()
    said = {
        "owner": asdict(owner),
        "cells": [[name, "miniature/roberta", task, method, seed, 100.0] for name, method, task, seed in cells],
        "rates": [["miniature/roberta", TASKS[0], "full", 0.12]],
    }
    place = results / EXPERIMENT / FOLDER
    place.mkdir(parents=True, exist_ok=True)
    (place / f"{owner.token}.json").write_text(json.dumps(said))


def fill_many(results: Path, count: int) -> None:
    """`count` finished cells of one experiment: models × methods × eight tasks × five seeds."""
    number = 0
    for model in range(count):
        for method in range(25):
            for task in range(8):
                for seed in range(5):
                    if number == count:
                        return
                    made = identified(make_record(f"model_{model}", f"task_{task}", f"method_{method}", seed))
                    folder = results / "many" / made.cell.id
                    folder.mkdir(parents=True)
                    (folder / "record.json").write_text(json.dumps(made.to_dict()))
                    number += 1
