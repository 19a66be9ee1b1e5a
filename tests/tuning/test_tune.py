"""`bench tune`, as a user sees it; trials are made up."""

import csv

import pytest
import yaml

from bench.configuration.compose import Configurations
from bench.findings.experiments import experiments
from bench.records.finding import find_records
from bench.records.schema import Status
from bench.records.store import read_records
from tests.tuning.stub import hill

BEST = {"full": 3e-5, "lora": 2e-4}
LORA = """
defaults: [/method/lora@_here_, _self_]
name: mine
search: {learning_rate: [1e-4, 1e-2], r: {values: [4, 8, 16]}}
"""


def score(cell):
    return hill(cell, BEST.get(cell.method, 1e-3))


@pytest.fixture
def mine(tmp_path):
    (tmp_path / "mine" / "method").mkdir(parents=True)
    (tmp_path / "mine" / "experiment").mkdir()
    (tmp_path / "mine" / "method" / "mine.yaml").write_text(LORA)
    grid = "[{model: miniature/roberta, task: miniature/sst2, method: [mine, full], seed: [0, 1]}]"
    (tmp_path / "mine" / "experiment" / "own.yaml").write_text(f"name: own\ntitle: Own\ngrid: {grid}\n")
    return tmp_path / "mine"


def test_every_method_gets_the_same_trials_and_the_best_is_chosen(tune, tmp_path):
    result = tune(score, "method=full,lora", "chosen=_none", "trials=8", "out=chosen")
    assert result.returncode == 0, result.stderr
    assert "2 studies × 8 trials = 16 cells, each" in result.stderr
    records = list(read_records(tmp_path / "results", "tuning/miniature/glue"))
    assert [record.cell.method for record in records].count("full") == len(records) / 2 == 8
    assert {record.cell.seed for record in records} == {1000}
    assert {record.cell.config["data"]["score_on"] for record in records} == {"selection"}
    for method, best in BEST.items():
        path = tmp_path / "chosen" / "chosen" / "miniature" / "roberta" / "miniature" / "sst2" / f"{method}.yaml"
        chosen = yaml.safe_load(path.read_text())["training"]
        tried = [one for one in records if one.cell.method == method]
        winner = max(tried, key=lambda one: one.metrics.values["accuracy"])
        assert float(chosen["learning_rate"]) == winner.cell.config["training"]["learning_rate"]
        assert best / 5 < float(chosen["learning_rate"]) < best * 5
        assert chosen["chosen_by"]["trials"] == 8
    pictures = sorted(path.name for path in (tmp_path / "chosen").glob("expected.*.*"))
    assert pictures == [f"expected.miniature-roberta.miniature-sst2.{suffix}" for suffix in ("pdf", "png", "svg")]
    with (tmp_path / "chosen" / "expected.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["equal_seconds"] for row in rows} == {"8.0"}, "each of eight trials took a second"
    for row in rows:
        assert 0.7 < float(row["near_default"]) <= float(row["best_within_equal_seconds"])
    assert "equal time is 8 s of training" in result.stdout
    assert not find_records(tmp_path / "results", "miniature/glue"), "no table of the experiment sees a trial"
    assert experiments(str(tmp_path / "results")) == [], "and no report"


def test_what_was_chosen_is_what_the_final_cells_are_made_of(tune, bench, tmp_path):
    tune(score, "method=lora", "trials=4", "out=chosen")
    with Configurations(str(tmp_path / "chosen")) as configurations:
        cell = configurations.cell(["model=miniature/roberta", "task=miniature/sst2", "method=lora"])
        other = configurations.cell(["model=roberta_base", "task=glue/mrpc", "method=lora"])
    with Configurations() as configurations:
        plain = configurations.cell(["model=miniature/roberta", "task=miniature/sst2", "method=lora", "chosen=_none"])
        rate = cell.config["training"]["learning_rate"]
        by_hand = configurations.cell(
            ["model=miniature/roberta", "task=miniature/sst2", "method=lora", f"training.learning_rate={rate}"]
        )
    told = cell.config["training"]["chosen_by"]
    assert set(told) == {
        "study", "trial", "on", "holdout", "seeds", "trials", "sampler", "trainings", "device_seconds",
    }  # fmt: skip
    assert (told["trainings"], told["device_seconds"]) == (4, 4), "a second each"
    assert (told["trials"], told["seeds"], told["sampler"], told["on"]) == (4, [1000], "qmc", "selection")
    assert told["holdout"] == {"share": 0.1, "seed": 0}
    assert other.config["training"]["chosen_by"] == plain.config["training"]["chosen_by"] == {}
    assert cell.id == by_hand.id != plain.id, "who chose a rate makes no other cell"
    assert cell.origins.of("training.learning_rate").endswith("chosen/miniature/roberta/miniature/sst2/lora.yaml")
    shown = bench("show", "--config-dir", "chosen", "model=miniature/roberta", "task=miniature/sst2", "method=lora")
    assert f"{rate}" in shown.stdout


def test_an_earlier_choice_has_no_part_in_a_search(tune, bench, mine, tmp_path):
    words = ("--config-dir", "mine", "experiment=own", "method=mine", "out=mine")
    assert tune(score, *words, "trials=2").returncode == 0
    result = tune(score, *words, "trials=4")
    assert result.returncode == 0, result.stderr
    records = list(read_records(tmp_path / "results", "tuning/own"))
    assert len(records) == 4
    assert all(record.cell.config["training"]["chosen_by"] == {} for record in records)


def test_a_file_says_where_its_values_came_from(tune, tmp_path):
    tune(score, "method=lora", "trials=4", "out=chosen")
    (path,) = (tmp_path / "chosen" / "chosen").rglob("lora.yaml")
    text = path.read_text()
    assert text.startswith("# @package _global_\n")
    assert "of 4 (from 0), accuracy 0." in text.split("learning_rate:")[1].splitlines()[0]
    assert "Study tuning/miniature/glue/miniature/roberta/miniature/sst2/lora, trial" in text
    assert "commit" in text


def test_a_knob_of_the_method_s_is_searched_and_is_no_part_of_the_cell(tune, bench, mine, tmp_path):
    arguments = ("--config-dir", "mine", "experiment=own", "method=mine", "trials=8")
    result = tune(lambda cell: hill(cell, 1e-3) + (cell.config["method"]["r"] == 16) / 10, *arguments, "out=mine")
    assert result.returncode == 0, result.stderr
    assert "warning: method 'mine': learning_rate 0.0001…0.01 spans 2 decades, not 3" in result.stderr
    assert "method.r=16 lies at the upper end of r in 4, 8, 16: the space is too small" in result.stdout
    records = list(read_records(tmp_path / "results", "tuning/own"))
    assert {record.cell.config["method"]["r"] for record in records} == {4, 8, 16}
    assert not any("search" in record.cell.config["method"] for record in records)
    words = ["model=miniature/roberta", "task=miniature/sst2", "method=mine"]
    with Configurations(str(mine)) as configurations:
        cell = configurations.cell(words)
    assert cell.config["method"]["r"] == 16, "in the place of a number for each family"
    assert "method.search.r.values" in bench("show", "--config-dir", "mine", *words).stdout


def test_failed_trials_count_and_are_said(tune, tmp_path):
    def breaks(cell):
        if cell.config["training"]["learning_rate"] > 1e-3:
            return Status.out_of_memory
        return float("nan") if cell.config["training"]["learning_rate"] < 3e-5 else hill(cell, 2e-4)

    log = tmp_path / "log"
    result = tune(breaks, "method=lora", "trials=8", "out=chosen", log=log)
    assert result.returncode == 0, result.stderr
    assert "of 8 trials have no score" in result.stdout
    assert "out of memory" in result.stdout
    assert "is not a number" in result.stdout
    assert tune(breaks, "method=lora", "trials=8", log=log).returncode == 0
    assert len(log.read_text().split()) == 8, "none is run again"
    with (tmp_path / "chosen" / "trials.csv").open() as file:
        assert {row["status"] for row in csv.DictReader(file)} == {"done", "out_of_memory"}


def test_nothing_to_choose_from_is_exit_code_1(tune):
    result = tune(lambda cell: Status.failed, "method=lora", "trials=2", "out=chosen")
    assert result.returncode == 1
    assert "2 of 2 trials have no score (0 failed, 1 failed)" in result.stdout


def test_unsupported_pairs_are_said_and_are_no_failure(tune):
    result = tune(lambda cell: Status.unsupported, "method=lora", "trials=2")
    assert result.returncode == 0
    assert "unsupported, it broke" in result.stdout


def test_a_dry_run_says_what_it_would_cost_and_writes_nothing(tune, tmp_path):
    result = tune(score, "method=full,lora", "trials=16", "tuning_seeds=1000,1001", "dry_run=true")
    assert result.returncode == 0
    assert "2 studies × 16 trials × 2 seeds = 64 cells" in result.stderr
    assert "miniature/roberta miniature/sst2 full: learning_rate 1e-06…0.001" in result.stdout
    assert not (tmp_path / "results").exists()


def test_several_tuning_seeds_are_averaged(tune, tmp_path):
    values = {1000: 0.4, 1001: 0.6}
    result = tune(lambda cell: values[cell.seed], "method=lora", "trials=2", "tuning_seeds=1000,1001", "out=chosen")
    assert result.returncode == 0, result.stderr
    with (tmp_path / "chosen" / "trials.csv").open() as file:
        assert [float(row["score"]) for row in csv.DictReader(file)] == [0.5, 0.5]


def test_more_trials_go_on_where_fewer_stopped(tune, tmp_path):
    log = tmp_path / "log"
    tune(score, "method=lora", "trials=4", log=log)
    result = tune(score, "method=lora", "trials=8", log=log)
    assert ", 4 of them with a record" in result.stderr
    assert len(set(log.read_text().split())) == len(log.read_text().split()) == 8


def test_tpe_learns_and_tries_nothing_twice(tune, tmp_path):
    result = tune(score, "method=lora", "trials=16", "sampler=tpe", "out=chosen")
    assert result.returncode == 0, result.stderr
    with (tmp_path / "chosen" / "trials.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len({row["parameters"] for row in rows}) == 16


def test_where_lower_is_better_the_lowest_is_chosen(tune, tmp_path, monkeypatch):
    monkeypatch.setattr("tests.tuning.stub.METRIC", "rmse")
    result = tune(lambda cell: 1 - score(cell), "method=lora", "trials=8", "out=chosen")
    assert result.returncode == 0, result.stderr
    with (tmp_path / "chosen" / "trials.csv").open() as file:
        scores = {int(row["trial"]): float(row["score"]) for row in csv.DictReader(file)}
    (path,) = (tmp_path / "chosen" / "chosen").rglob("lora.yaml")
    assert scores[yaml.safe_load(path.read_text())["training"]["chosen_by"]["trial"]] == min(scores.values())
    with (tmp_path / "chosen" / "expected.csv").open() as file:
        best = [float(row["expected_best"]) for row in csv.DictReader(file)]
    assert best == sorted(best, reverse=True)
    assert best[-1] == pytest.approx(min(scores.values()))
