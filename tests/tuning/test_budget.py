"""`bench tune budget=SECONDS`: as many device-seconds for every method, in place of as many trials."""

import csv

import pytest
import yaml

from bench.records.schema import Status
from bench.records.store import read_records
from tests.tuning.test_tune import score

SECONDS = {"full": 2.0, "lora": 0.5}


def took(cell):
    return SECONDS[cell.method]


def trials(folder):
    """Each method's learning rates, in the order of its trials."""
    with (folder / "trials.csv").open() as file:
        rows = list(csv.DictReader(file))
    return {method: [row["parameters"] for row in rows if row["method"] == method] for method in SECONDS}


def test_every_method_gets_trials_until_its_seconds_are_over(tune, tmp_path):
    result = tune(score, "method=full,lora", "budget=4", "out=chosen", took=took)
    assert result.returncode == 0, result.stderr
    assert "2 studies × 4 device-seconds = 0.00222 hours, and what the last trials exceed" in result.stderr
    found = trials(tmp_path / "chosen")
    assert {method: len(rates) for method, rates in found.items()} == {"full": 3, "lora": 9}
    assert len(list(read_records(tmp_path / "results", "tuning/miniature/glue"))) == 12
    for method, count in {"full": 3, "lora": 9}.items():
        (path,) = (tmp_path / "chosen" / "chosen").rglob(f"{method}.yaml")
        told = yaml.safe_load(path.read_text())["training"]["chosen_by"]
        assert (told["trials"], told["seconds"]) == (count, 4)


def test_its_trials_are_those_of_a_search_by_trials(tune, tmp_path):
    tune(score, "method=full,lora", "budget=4", "out=by-seconds", took=took)
    tune(score, "method=full,lora", "trials=9", "results_dir=other", "out=by-trials", took=took)
    by_seconds, by_trials = trials(tmp_path / "by-seconds"), trials(tmp_path / "by-trials")
    assert by_seconds["lora"] == by_trials["lora"]
    assert by_seconds["full"] == by_trials["full"][:3]


def test_the_same_command_goes_on_and_ends_the_same(tune, tmp_path):
    def stops(cell):
        if len(list((tmp_path / "results").rglob("record.json"))) == 5:
            raise KeyboardInterrupt
        return score(cell)

    log = tmp_path / "log"
    assert tune(stops, "method=full,lora", "budget=4", took=took).returncode == 130
    assert tune(score, "method=full,lora", "budget=4", "out=chosen", took=took, log=log).returncode == 0
    assert len(log.read_text().split()) == 12 - 5
    assert {method: len(rates) for method, rates in trials(tmp_path / "chosen").items()} == {"full": 3, "lora": 9}


def test_one_trial_at_least(tune, tmp_path):
    assert tune(score, "method=full,lora", "budget=1", "out=chosen", took=lambda cell: 100.0).returncode == 0
    assert {len(rates) for rates in trials(tmp_path / "chosen").values()} == {1}


def test_trials_that_fail_take_the_time_that_they_took(tune, tmp_path):
    result = tune(lambda cell: Status.failed, "method=lora", "budget=4", "out=chosen", took=took)
    assert result.returncode == 1
    assert len(list(tmp_path.rglob("record.json"))) == 9


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["budget=0"], "budget=0 must be 1 or more"),
        (["budget=an-hour"], "budget=an-hour must be a number"),
        (["budget=60", "trials=8"], "trials= and budget= exclude each other"),
        (["budget=60", "sampler=tpe"], "in the order of the quasi-random sequence; leave sampler=tpe out"),
    ],
)
def test_budgets_that_are_none(tune, tmp_path, words, expected):
    result = tune(score, "method=lora", *words)
    assert result.returncode == 2
    assert expected in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "results").exists()
