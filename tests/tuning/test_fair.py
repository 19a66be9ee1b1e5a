"""`bench fair`, as a user sees it; cells are made up."""

import json
import random
import re

import pytest
import yaml

from bench.records.schema import Status
from bench.records.store import read_records
from tests.tuning.stub import hill

BEST = {"full": 3e-5, "lora": 2e-4, "bitfit": 1e-3}
LESS = {"lora": 0.2}  # how much worse a method is than the others


def score(cell):
    return hill(cell, BEST.get(cell.method, 2e-4)) - LESS.get(cell.method, 0.0)


def text_of(tmp_path, folder="bitfit/8-trials", suffix="md"):
    (path,) = (tmp_path / "results" / "fair" / folder).glob(f"*-protocol.{suffix}")
    return re.sub(r"&#(\d+);", lambda found: chr(int(found[1])), path.read_text())


def test_one_command_tunes_runs_compares_and_tells(fair, tmp_path):
    result = fair(score, "trials=8", "task=miniature/sst2,miniature/cola")
    assert result.returncode == 0, result.stderr
    trials = list(read_records(tmp_path / "results", "tuning/fair"))
    final = list(read_records(tmp_path / "results", "fair/bitfit/8-trials"))
    assert len(trials) == 3 * 2 * 8
    assert len(final) == 3 * 2 * 5
    assert {record.cell.config["data"]["score_on"] for record in trials} == {"selection"}
    assert {record.cell.config["data"]["score_on"] for record in final} == {"reported"}
    assert not {record.cell.seed for record in trials} & {record.cell.seed for record in final}
    assert all(record.cell.config["training"]["chosen_by"]["trials"] == 8 for record in final)
    folder = tmp_path / "results" / "fair" / "bitfit" / "8-trials"
    names = {path.name for path in folder.iterdir() if path.is_file()}
    parts = {"-scores.wide.csv", "-scores.tex", "-scores.md", "-compare-bitfit.json", "-protocol.md", "-protocol.tex"}
    assert {f"fair-bitfit-8-trials{part}" for part in parts} <= names
    assert {path.stem for path in (folder / "settings" / "chosen").rglob("*.yaml")} == {"bitfit", "full", "lora"}
    compared = json.loads((folder / "fair-bitfit-8-trials-compare-bitfit.json").read_text())
    assert {task["task"] for task in compared["tasks"]} == {"cola", "sst2"}
    assert "How BitFit was compared" in text_of(tmp_path)


def test_the_text_states_the_protocol_with_its_numbers(fair, tmp_path):
    def noisy(cell):
        return score(cell) + random.Random(cell.id).uniform(-0.05, 0.05)

    fair(noisy, "trials=8", "seed=3,4,5,6,7", "tuning_seeds=1000,1001")
    text = text_of(tmp_path)
    assert "was given 8 trials on each task: points of a scrambled Sobol sequence (Optuna " in text
    assert "learning rates 1e-05…0.01 for BitFit and LoRA; learning rates 1e-06…0.001 for" in text
    assert "with seeds 1000 and 1001 and scored by accuracy on rows that no figure here is of" in text
    assert "trained anew with seeds 3, 4, 5, 6 and 7" in text
    assert "tested by paired t-tests over seeds; p-values are corrected by Holm's method over all 3 comp" in text
    assert "The search took 48 cells and 48 device-seconds" in text
    assert "the figures 15 cells and 15 device-seconds" in text
    for path in (tmp_path / "results" / "fair" / "bitfit" / "8-trials" / "settings" / "chosen").rglob("*.yaml"):
        rate = float(yaml.safe_load(path.read_text())["training"]["learning_rate"])
        assert str(rate) in text
    figures = r"\d+\.\d+ \([+-]\d+\.\d+, 95 % [+-]\d+\.\d+ to [+-]\d+\.\d+, p [=<] 0\.\d+\)"
    assert re.search(rf"LoRA {figures}, which is worse", text)
    assert re.search(rf"Full fine-tuning {figures}, not told apart", text)


def test_it_is_latex_too(fair, tmp_path):
    fair(score, "trials=2", "seed=0,1")
    text = text_of(tmp_path, "bitfit/2-trials", "tex")
    assert text.startswith("\\paragraph{How BitFit was compared}")
    assert text.isascii()
    assert "95 \\%" in text


def test_what_does_not_hold_is_said(fair, tmp_path):
    def troubled(cell):
        if cell.method == "lora" and cell.seed == 1000 and cell.config["training"]["learning_rate"] > 1e-3:
            return Status.out_of_memory
        if cell.method == "full" and cell.seed == 2:
            return Status.failed
        return score(cell)

    result = fair(troubled, "trials=4", "seed=0,1,2")
    assert result.returncode == 1, "a final cell failed"
    text = text_of(tmp_path, "bitfit/4-trials").split("What does not hold")[1]
    assert "miniature/roberta miniature/sst2 lora: 2 of 4 trials have no score;" in text
    assert "4 trials are fewer than 8" in text
    assert "1 of the final cells of full did not end in a score" in text
    assert "3 seeds are fewer than 5" in text
    assert "miniature: artificial data" in text


def test_a_method_of_one_s_own_with_a_knob(fair, tmp_path):
    (tmp_path / "mine" / "method").mkdir(parents=True)
    lora = "defaults: [/method/lora@_here_, _self_]\nname: mine\ntitle: Mine\nsearch: {r: {values: [4, 8, 16]}}\n"
    (tmp_path / "mine" / "method" / "mine.yaml").write_text(lora)
    earlier = tmp_path / "mine" / "chosen" / "miniature" / "roberta" / "miniature" / "sst2" / "mine.yaml"
    earlier.parent.mkdir(parents=True)
    earlier.write_text("# @package _global_\ntraining: {learning_rate: 5e-5, chosen_by: {study: an earlier one}}\n")

    def likes_large(cell):
        return score(cell) + (cell.config["method"]["r"] == 16) / 10

    result = fair(likes_large, "--config-dir=mine", "method=mine", "baselines=lora", "trials=8")
    assert result.returncode == 0, result.stderr
    final = [one for one in read_records(tmp_path / "results", "fair/mine/8-trials") if one.cell.method == "mine"]
    assert final[0].cell.config["training"]["chosen_by"]["study"].endswith("/mine"), "not the earlier choice"
    text = text_of(tmp_path, "mine/8-trials")
    assert "learning rates 1e-05…0.01; r in 4, 8, 16 for Mine" in text
    assert "mine: method.r=16 lies at the upper end of r in 4, 8, 16: the space is too small;" in text
    assert "mine had a setting searched beside the learning rate, in as many trials; others had none" in text


def test_the_same_command_goes_on_and_runs_nothing_twice(fair, tmp_path):
    def stops_at(limit):
        def stops(cell):
            if len(list((tmp_path / "results").rglob("record.json"))) == limit:
                raise KeyboardInterrupt
            return score(cell)

        return stops

    log = tmp_path / "log"
    assert fair(stops_at(5), "trials=4", "seed=0,1,2", log=log).returncode == 130, "in the search"
    assert fair(stops_at(15), "trials=4", "seed=0,1,2", log=log).returncode == 130, "among the final cells"
    assert fair(score, "trials=4", "seed=0,1,2", log=log).returncode == 0
    before = text_of(tmp_path, "bitfit/4-trials")
    assert len(set(log.read_text().split())) == len(log.read_text().split()) == 3 * (4 + 3)
    assert fair(score, "trials=4", "seed=0,1,2", log=log).returncode == 0
    assert len(log.read_text().split()) == 3 * (4 + 3)
    assert text_of(tmp_path, "bitfit/4-trials") == before


def test_a_larger_budget_is_another_comparison_of_the_same_search(fair, tmp_path):
    log = tmp_path / "log"
    fair(score, "trials=4", "seed=0,1,2", log=log)
    assert fair(score, "trials=8", "seed=0,1,2", log=log).returncode == 0
    assert len(log.read_text().split()) == 3 * (8 + 3 + 3)
    assert "was given 8 trials" in text_of(tmp_path)


def test_baselines_are_searched_once_for_all_methods(fair, tmp_path):
    log = tmp_path / "log"
    fair(score, "trials=4", "seed=0,1", log=log)
    fair(score, "method=adapter_s", "trials=4", "seed=0,1", log=log)
    assert sum("-s1000-" in line for line in log.read_text().split()) == 4 * 4


def test_a_budget_of_seconds(fair, tmp_path):
    result = fair(score, "budget=4", "seed=0,1", took=lambda cell: 2.0 if cell.method == "full" else 0.5)
    assert result.returncode == 0, result.stderr
    text = text_of(tmp_path, "bitfit/4-seconds")
    assert "as many trials as it could begin within 4 device-seconds (3 to 9 trials)" in text
    assert "methods had between" not in text


def test_a_method_that_cannot_be_tuned_is_not_compared(fair, tmp_path):
    result = fair(lambda cell: Status.failed if cell.method == "bitfit" else score(cell), "trials=2", "seed=0,1")
    assert result.returncode == 1
    assert "bitfit could not be tuned: none of its trials has a score" in result.stderr
    assert not list((tmp_path / "results" / "fair").rglob("record.json"))


def test_a_baseline_that_cannot_be_tuned_is_left_out_and_said(fair, tmp_path):
    result = fair(lambda cell: Status.failed if cell.method == "lora" else score(cell), "trials=2", "seed=0,1")
    assert result.returncode == 1
    assert {one.cell.method for one in read_records(tmp_path / "results", "fair/bitfit/2-trials")} == {"bitfit", "full"}
    assert "sst2 lora: nothing could be chosen, and it is not in the comparison" in text_of(tmp_path, "bitfit/2-trials")


def test_a_dry_run_says_what_it_would_cost_and_writes_nothing(fair, tmp_path):
    result = fair(score, "trials=8", "dry_run=true", "task=miniature/sst2,miniature/cola")
    assert result.returncode == 0, result.stderr
    assert "6 studies × 8 trials = 48 cells" in result.stderr
    assert "3 methods × 1 model × 2 tasks × 5 seeds = 30 cells" in result.stderr
    assert "miniature/roberta miniature/cola lora: learning_rate 1e-05…0.01" in result.stdout
    assert re.search(
        "the search: about .* device-hours: .* by counted operations on .* at 0.3 of its peak", result.stderr
    )
    assert re.search("final cells: about .* device-hours", result.stderr)
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["method="], "method= is missing: bench fair method=mine"),
        (["model="], "model= is missing"),
        (["task="], "task= is missing"),
        (["method=bitfti"], "unknown method 'bitfti'; did you mean bitfit"),
        (["model=miniature/rob"], "unknown model 'miniature/rob'"),
        (["task=miniature/sst3"], "unknown task 'miniature/sst3'"),
        (["baselines=lroa"], "unknown method 'lroa'; did you mean"),
        (["baselines="], "baselines= lacks a name"),
        (["baselines=lora,lora"], "baselines=lora,lora names lora twice"),
        (["baselines=bitfit,lora"], "method=bitfit is among baselines=bitfit,lora"),
        (["method=full,lora"], "one method is proposed"),
        (["trials=0"], "trials=0 must be 1 or more"),
        (["budget=0"], "budget=0 must be 1 or more"),
        (["budget=60", "trials=8"], "trials= and budget= exclude each other"),
        (["seed=0,1000"], "tuning_seeds=1000 is a seed that the experiment reports"),
        (["seed=0", "tuning_seeds=0"], "tuning_seeds=0 is a seed that the experiment reports"),
        (["seed=one"], "seed"),
        (["experiment=miniature/glue"], "experiment= is not yours to give"),
        (["out=here"], "out= is not yours to give"),
        (["method.r=4"], "method"),
    ],
)
def test_what_is_refused_before_any_run(fair, tmp_path, words, expected):
    result = fair(score, *words)
    assert result.returncode == 2, result.stdout + result.stderr
    assert expected in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1, result.stderr
    assert not (tmp_path / "results").exists()
