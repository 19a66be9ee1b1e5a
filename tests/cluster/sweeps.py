"""Sweeps as a user starts them, in a process that a test may disturb."""

import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest
import yaml

from bench.records.schema import Record
from bench.records.store import read_records
from tests.sweeping.launchers import processes

LONG = ("training.max_steps=100000", "training.epochs=10000", "data.limit_evaluation=12")  # until somebody stops it

STEPS = (  # long enough to be disturbed
    "training.max_steps=400",
    "training.epochs=1000",
    "data.limit_evaluation=12",
    "task=miniature/rte",
    "checkpoint_seconds=0.3",
)


# Four trials: two as long as they may be; of two others one goes on, which is known when they have ended.
SEARCH = ("experiment=miniature/tuned", "method=lora", "trials=4", "pruner=hyperband", "reduction=2", "rungs=2")


def start(
    folder: Path, environment: Mapping[str, str], *arguments: str, command: Sequence[str] = ("run", "-m")
) -> subprocess.Popen[str]:
    """Start `bench run -m`, or another command, with its results in `folder`."""
    words = [sys.executable, "-m", "bench", *command, *arguments, f"results_dir={folder / 'results'}"]
    return subprocess.Popen(
        words, env=dict(environment), cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def finish(sweep: subprocess.Popen[str], seconds: float = 150) -> tuple[int, str]:
    """Wait for its end; return its exit code and what it said."""
    try:
        _, errors = sweep.communicate(timeout=seconds)
    finally:
        sweep.kill()
    return sweep.returncode, errors


def records(folder: Path) -> list[Record]:
    """What it has written."""
    return list(read_records(folder / "results", "runs"))


def until(condition: Callable[[], bool], sweep: subprocess.Popen[str] | None = None, seconds: float = 90) -> None:
    """Wait for something to happen while the sweep runs."""

    def happened() -> bool:
        if condition():
            return True
        if sweep is not None and sweep.poll() is not None:
            pytest.fail(f"the sweep ended: {sweep.communicate()[1]}")
        return False

    processes.until(happened, seconds)


def search(folder: Path, environment: Mapping[str, str], *arguments: str) -> list[Record]:
    """Run `bench tune` to its end, and again: the records of its five cells, the best of which was chosen."""
    words = (*SEARCH, f"out={folder / 'chosen'}", *arguments)
    for _ in "once", "once more":
        code, errors = finish(start(folder, environment, *words, command=("tune",)))
        assert code == 0, errors
    found = list(read_records(folder / "results", "tuning/miniature/tuned"))
    assert [record.status for record in found] == ["done"] * 5
    (file,) = (folder / "chosen").rglob("lora.yaml")
    chosen = yaml.safe_load(file.read_text())["training"]
    whole = [record for record in found if record.cell.config["training"]["epochs"] == 3]
    best = max(record.metrics.values["accuracy"] for record in whole if record.metrics is not None)
    rates = {
        record.cell.config["training"]["learning_rate"]
        for record in whole
        if record.metrics is not None and record.metrics.values["accuracy"] == best
    }
    assert chosen["learning_rate"] in rates
    assert chosen["chosen_by"]["trials"] == 4
    return found


def outcome_of_wrecks(folder: Path) -> dict[str, Record]:
    """The records of a sweep of `method.how=exit,raise,none` by `how`, which must say what became of each."""
    found = {record.cell.config["method"]["how"]: record for record in records(folder)}
    assert {how: record.status for how, record in found.items()} == {
        "exit": "failed",
        "raise": "failed",
        "none": "done",
    }
    assert found["raise"].error is not None
    assert found["raise"].error.message == "a bug in a method"
    assert found["exit"].error is not None
    assert found["exit"].error.type == "JobDied"
    return found
