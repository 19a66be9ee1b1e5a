"""A search that is killed at random moments, and several at once: the same trials, the same choice."""

import contextlib
import io
import json
import multiprocessing
import os
import random
import signal
import time

import pytest

from bench.cli.commands import run_command
from bench.records.store import read_records
from tests.tuning import stub
from tests.tuning.test_tune import score

FORK = multiprocessing.get_context("fork")  # what is stubbed here is stubbed there, and nothing is imported again
TRIALS = 12


@pytest.fixture
def start(tune, monkeypatch, tmp_path):
    """Start a search in a process of its own, in a results folder."""
    monkeypatch.setattr("bench.tuning.protocol.LOOK_SECONDS", 0.05)
    monkeypatch.setattr("bench.tuning.journal.GRACE_SECONDS", 3)
    log = tmp_path / "log"
    monkeypatch.setattr("bench.running.attempt.run_cell", stub.runner(score, seconds=0.03, log=log))

    def call(results, *arguments):
        process = FORK.Process(target=search, args=(results, tmp_path, arguments))
        process.start()
        return process

    call.log = log
    return call


def search(results, folder, arguments):
    bound = [] if any(word.startswith("budget=") for word in arguments) else [f"trials={TRIALS}"]
    words = [*stub.ARGUMENTS, "method=full,lora", *bound, f"results_dir={folder / results}"]
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
        code = run_command([*words, f"out={folder / results}-chosen", *arguments])
    os._exit(code)


def finish(*processes):
    for process in processes:
        process.join(120)
        assert process.exitcode == 0


def trials(folder, results):
    """The parameters of each method's trials, by their cells."""
    found = {}
    for record in read_records(folder / results, "tuning/miniature/glue"):
        training = record.cell.config["training"]
        found.setdefault(record.cell.method, []).append(training["learning_rate"])
    return {method: sorted(rates) for method, rates in found.items()}


def chosen(folder, results):
    texts = {path.name: path.read_text() for path in (folder / f"{results}-chosen" / "chosen").rglob("*.yaml")}
    assert texts
    return texts


@pytest.mark.parametrize("sampler", ["qmc", "tpe"])
def test_killed_and_resumed_by_two_at_once(start, tmp_path, sampler):
    dice = random.Random(int(os.environ.get("CHAOS_SEED", "0")))
    for _ in range(5):
        pair = [start("disturbed", f"sampler={sampler}") for _ in range(2)]
        time.sleep(dice.uniform(0.2, 2.5))
        for process in pair:
            os.kill(process.pid, signal.SIGKILL)
            process.join()
    finish(*(start("disturbed", f"sampler={sampler}") for _ in range(2)))
    found = trials(tmp_path, "disturbed")
    assert {method: len(set(rates)) for method, rates in found.items()} == {"full": TRIALS, "lora": TRIALS}
    assert {method: len(rates) for method, rates in found.items()} == {"full": TRIALS, "lora": TRIALS}
    assert not list(tmp_path.rglob("attempt-*.json")), "no trial was run twice to its end"
    if sampler == "qmc":
        finish(start("undisturbed"))
        assert trials(tmp_path, "undisturbed") == found
        assert chosen(tmp_path, "undisturbed") == chosen(tmp_path, "disturbed")
    for journal in tmp_path.rglob("disturbed/**/journal.log"):
        asked = [entry for entry in map(json.loads, journal.read_text().splitlines()) if entry["op_code"] == 4]
        assert len(asked) == TRIALS, "each trial is asked for once"


def test_a_budget_of_seconds_ends_the_same_for_two_at_once(start, tmp_path):
    dice = random.Random(int(os.environ.get("CHAOS_SEED", "0")))
    for _ in range(2):
        pair = [start("disturbed", "budget=5") for _ in range(2)]
        time.sleep(dice.uniform(0.2, 1.5))
        for process in pair:
            os.kill(process.pid, signal.SIGKILL)
            process.join()
    finish(*(start("disturbed", "budget=5") for _ in range(2)))
    finish(start("undisturbed", "budget=5"))
    found = trials(tmp_path, "disturbed")
    assert {method: len(set(rates)) for method, rates in found.items()} == {"full": 6, "lora": 6}, "of a second each"
    assert trials(tmp_path, "undisturbed") == found
    assert chosen(tmp_path, "undisturbed") == chosen(tmp_path, "disturbed")


def test_records_are_the_truth_and_a_lost_journal_costs_nothing(start, tmp_path):
    finish(start("one"))
    before, runs = chosen(tmp_path, "one"), start.log.read_text()
    for journal in tmp_path.rglob("journal.log"):
        journal.unlink()
    finish(start("one"))
    assert chosen(tmp_path, "one") == before
    assert start.log.read_text() == runs, "nothing was run again"
