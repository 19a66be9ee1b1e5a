"""`pruner=hyperband`: the brackets, and the search as a user sees it; trials are made up."""

import contextlib
import csv
import itertools
import json
import os
import random
import signal
import time

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.pruners import HyperbandPruner

from bench.records.schema import Status
from bench.records.store import read_records
from bench.tuning import protocol
from bench.tuning.hyperband import NONE, Hyperband
from tests.tuning import stub
from tests.tuning.stub import hill
from tests.tuning.test_fair import score as fair_score
from tests.tuning.test_fair import text_of
from tests.tuning.test_killed import chosen, finish, start, trials  # noqa: F401
from tests.tuning.test_tune import BEST

EPOCHS = 4  # of the miniature's task
COUNTS = {0.444444: 9, 1.33333: 3 + 5, 4: 1 + 1 + 3}  # stints by their epochs: brackets of 9, 5 and 3 trials
WORDS = ("method=full,lora", "pruner=hyperband", f"training.epochs={EPOCHS}")


def score(cell):
    """What is trained longer is better, and how good a rate is shows early."""
    return hill(cell, BEST[cell.method]) - 0.2 / cell.config["training"]["epochs"]


def epochs_of(folder):
    """How many cells there are of each method and length."""
    found = {}
    for record in read_records(folder, "tuning/miniature/glue"):
        key = record.cell.method, record.cell.config["training"]["epochs"]
        found[key] = found.get(key, 0) + 1
    return found


def rows(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def test_brackets_are_those_of_the_paper():
    """Li et al. 2018, table 1: R = 81, η = 3, n_i by bracket."""
    assert Hyperband(3, 5).brackets == (81, 34, 15, 8, 5)
    halved = {81: (81, 27, 9, 3, 1), 34: (34, 11, 3, 1), 15: (15, 5, 1), 8: (8, 2), 5: (5,)}
    counts = [sum(rungs[at] for rungs in halved.values() if at < len(rungs)) for at in range(5)]
    by_share = dict.fromkeys(range(5), 0)
    for cuts, rungs in zip((4, 3, 2, 1, 0), halved.values(), strict=True):
        for at, count in enumerate(rungs):
            by_share[cuts - at] += count
    assert Hyperband(3, 5).counts(143) == by_share
    assert sum(counts) == sum(by_share.values())


@pytest.mark.parametrize("reduction", [2, 3, 4])
@pytest.mark.parametrize("rungs", [2, 3, 4])
def test_brackets_are_as_large_as_optunas(reduction, rungs):
    pruner = HyperbandPruner(min_resource=1, max_resource=reduction ** (rungs - 1), reduction_factor=reduction)
    pruner._n_brackets = rungs
    sizes = tuple(pruner._calculate_trial_allocation_budget(bracket) for bracket in range(rungs))
    assert Hyperband(reduction, rungs).brackets == sizes


def test_without_a_pruner_each_trial_is_trained_in_full():
    assert NONE.brackets == (1,)
    assert NONE.due(3, {}) == [(0, 0), (1, 0), (2, 0)]
    assert NONE.trainings(16) == 16


@settings(deadline=None, max_examples=50)
@given(st.randoms(use_true_random=False), st.sampled_from([(2, 2), (2, 3), (3, 3)]), st.integers(1, 2))
def test_the_same_go_on_in_whatever_order_stints_end(dice, shape, rounds):
    pruner = Hyperband(*shape)
    count = rounds * pruner.round
    truth = {
        (number, cuts): dice.choice([None, 0.5, dice.random()]) for number in range(count) for cuts in range(shape[1])
    }
    at_once, one_by_one = {}, {}
    for _ in range(shape[1]):
        at_once |= {stint: truth[stint] for stint in pruner.due(count, at_once)}
    while left := [stint for stint in pruner.due(count, one_by_one) if stint not in one_by_one]:
        stint = dice.choice(left)
        one_by_one[stint] = truth[stint]
    assert at_once == one_by_one
    for cuts, most in pruner.counts(count).items():
        assert sum(stint[1] == cuts for stint in at_once) <= most
    assert set(pruner.due(count, at_once)) <= set(pruner.due(count + pruner.round, at_once)), "more trials undo nothing"


def test_every_method_gets_the_same_and_the_best_in_full_is_chosen(tune, tmp_path):
    result = tune(score, *WORDS, "out=chosen", took=lambda cell: cell.config["training"]["epochs"])
    assert result.returncode == 0, result.stderr
    told = "17 trials (9 with 1/9 of the training, 8 with 1/3, 5 with all) = 44 cells, as long as 17.3 of"
    assert f"2 studies × {told}" in result.stderr
    assert epochs_of(tmp_path / "results") == {(method, n): count for method in BEST for n, count in COUNTS.items()}
    records = list(read_records(tmp_path / "results", "tuning/miniature/glue"))
    assert {record.cell.config["data"]["score_on"] for record in records} == {"selection"}
    for method, best in BEST.items():
        (path,) = (tmp_path / "chosen" / "chosen").rglob(f"{method}.yaml")
        found = yaml.safe_load(path.read_text())["training"]
        whole = [r for r in records if r.cell.method == method and r.cell.config["training"]["epochs"] == EPOCHS]
        winner = max(whole, key=lambda one: one.metrics.values["accuracy"])
        assert float(found["learning_rate"]) == winner.cell.config["training"]["learning_rate"]
        assert best / 3.2 < float(found["learning_rate"]) < best * 3.2, "half a decade"
        assert found["chosen_by"]["trials"] == 17
        assert found["chosen_by"]["pruner"] == "hyperband (reduction=3 rungs=3)"
        assert found["chosen_by"]["trainings"] == pytest.approx(26 / 3, abs=1e-4)
    tried = [row for row in rows(tmp_path / "chosen" / "trials.csv") if row["method"] == "lora"]
    assert len({row["parameters"] for row in tried}) == 17
    assert {float(row["epochs"]) for row in tried} == set(COUNTS)
    assert sum(float(row["train_seconds"]) for row in tried) == pytest.approx(EPOCHS * 26 / 3, rel=1e-3)


def test_what_cannot_be_told_of_picked_trials_is_not(tune, tmp_path):
    result = tune(score, *WORDS, "out=chosen")
    assert "n=17" in result.stdout
    assert "n=8" not in result.stdout
    assert "hyperband picks these, so that what fewer trials would have found" in result.stdout
    assert not list((tmp_path / "chosen").glob("expected.*.png"))
    for row in rows(tmp_path / "chosen" / "expected.csv"):
        assert (row["trials"], row["sensitivity"], row["near_default"]) == ("17", "", "")
        best = max(float(one["score"]) for one in rows(tmp_path / "chosen" / "trials.csv")
                   if one["method"] == row["method"] and float(one["epochs"]) == EPOCHS)  # fmt: skip
        assert float(row["expected_best"]) == best


def test_a_good_score_of_a_short_training_is_not_chosen(tune, tmp_path):
    def fades(cell):
        return hill(cell, 2e-4) + 0.3 / cell.config["training"]["epochs"]

    tune(fades, "method=lora", "pruner=hyperband", "out=chosen")
    (path,) = (tmp_path / "chosen" / "chosen").rglob("lora.yaml")
    trial = yaml.safe_load(path.read_text())["training"]["chosen_by"]["trial"]
    found = {int(row["trial"]): row for row in rows(tmp_path / "chosen" / "trials.csv")}
    whole = max(float(row["epochs"]) for row in found.values())
    assert float(found[trial]["epochs"]) == whole
    assert float(found[trial]["score"]) < max(float(row["score"]) for row in found.values())


def test_who_has_no_score_goes_on_no_more(tune, tmp_path):
    def breaks(cell):
        training = cell.config["training"]
        return Status.out_of_memory if training["learning_rate"] > 3e-4 else score(cell)

    result = tune(breaks, *WORDS, "out=chosen")
    assert result.returncode == 0, result.stderr
    assert "of 17 trials have no score" in result.stdout
    failed = [row for row in rows(tmp_path / "chosen" / "trials.csv") if row["status"] == "out_of_memory"]
    assert {float(row["epochs"]) for row in failed} == set(COUNTS), "each where its bracket began"


def test_nothing_to_choose_from_is_exit_code_1(tune, tmp_path):
    assert tune(lambda cell: Status.failed, "method=lora", "pruner=hyperband").returncode == 1
    assert len(list(tmp_path.rglob("record.json"))) == 17


def test_where_lower_is_better_the_lowest_go_on(tune, tmp_path, monkeypatch):
    monkeypatch.setattr("tests.tuning.stub.METRIC", "rmse")
    tune(lambda cell: 1 - score(cell), *WORDS, "out=lower", "results_dir=lower-results")
    monkeypatch.setattr("tests.tuning.stub.METRIC", "accuracy")
    tune(score, *WORDS, "out=higher")
    lower, higher = (rows(tmp_path / name / "trials.csv") for name in ("lower", "higher"))
    assert [row["epochs"] for row in lower] == [row["epochs"] for row in higher]


def test_steps_are_divided_too_and_more_rounds_go_on(tune, tmp_path):
    log = tmp_path / "log"
    words = ("method=lora", "pruner=hyperband", "reduction=2", "rungs=2", "training.max_steps=7")
    assert tune(lambda cell: hill(cell, 2e-4), *words, log=log).returncode == 0
    records = list(read_records(tmp_path / "results", "tuning/miniature/glue"))
    lengths = [record.cell.config["training"]["max_steps"] for record in records]
    assert {length: lengths.count(length) for length in lengths} == {3: 2, 7: 1 + 2}
    result = tune(lambda cell: hill(cell, 2e-4), *words, "trials=8", log=log)
    assert "5 of them with a record" in result.stderr
    assert len(set(log.read_text().split())) == len(log.read_text().split()) == 10


def test_a_dry_run_says_what_it_costs_by_lengths(tune, tmp_path):
    result = tune(score, *WORDS, "dry_run=true", "gpu=A100")
    assert result.returncode == 0, result.stderr
    assert "as long as 17.3 of the experiment's" in result.stderr
    tune(score, *WORDS, took=lambda cell: cell.config["training"]["epochs"])
    again = tune(score, *WORDS, "dry_run=true")
    assert "44 of them with a record" not in result.stderr
    assert ", 44 of them with a record" in again.stderr
    assert "the search: nothing is left to run" in again.stderr


def test_killed_and_resumed_by_two_at_once(start, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.setattr("bench.running.attempt.run_cell", stub.runner(score, seconds=0.02))
    words = ("pruner=hyperband", f"training.epochs={EPOCHS}", "trials=17")
    dice = random.Random(int(os.environ.get("CHAOS_SEED", "0")))
    for _ in range(5):
        pair = [start("disturbed", *words) for _ in range(2)]
        time.sleep(dice.uniform(0.2, 2.0))
        for process in pair:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
            process.join()
    finish(*(start("disturbed", *words) for _ in range(2)))
    finish(start("undisturbed", *words))
    found = trials(tmp_path, "disturbed")
    assert {method: len(set(rates)) for method, rates in found.items()} == {"full": 17, "lora": 17}
    assert epochs_of(tmp_path / "disturbed") == {(method, n): count for method in BEST for n, count in COUNTS.items()}
    assert trials(tmp_path, "undisturbed") == found
    assert chosen(tmp_path, "undisturbed") == chosen(tmp_path, "disturbed")
    assert not list(tmp_path.rglob("attempt-*.json")), "no stint was run twice to its end"
    for journal in tmp_path.rglob("disturbed/**/journal.log"):
        asked = [entry for entry in map(json.loads, journal.read_text().splitlines()) if entry["op_code"] == 4]
        assert len(asked) == 17, "each trial is asked for once"


def test_a_rung_that_another_search_ends_meanwhile_is_seen(tune, tmp_path, monkeypatch):
    """Its records may be there at the second look only: then who goes on is known, and is no cell yet."""
    words = ("method=lora", f"training.epochs={EPOCHS}", "trials=17", "pruner=hyperband", f"results_dir={tmp_path}")
    assert tune(score, *words).returncode == 0
    whole, looks = epochs_of(tmp_path), itertools.count()
    look = protocol.look
    monkeypatch.setattr(protocol, "look", lambda *where: None if next(looks) < 9 else look(*where))
    assert tune(score, *words).returncode == 0
    assert epochs_of(tmp_path) == whole


def test_the_text_of_a_comparison_states_it(fair, tmp_path):
    result = fair(fair_score, "pruner=hyperband", "reduction=2", "rungs=2", "trials=8", "seed=0,1")
    assert result.returncode == 0, result.stderr
    text = text_of(tmp_path, "bitfit/8-trials-hyperband")
    assert "was given 8 trials on each task: points of a scrambled Sobol sequence" in text
    assert "By Hyperband (Li et al. 2018, reduction 2, brackets of 2 + 2 trials), trials were trained" in text
    assert "4 with 1/2 and 6 with all of the epochs, for every method and task as long as 8 trainings in full" in text
    assert "the best of those trained in full was chosen, and a trial without a score went on no more" in text
    assert "The search took 30 cells" in text
    assert "from 1/2 of the training on: who learns late is undervalued" in text


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["trials=16"], "trials=16 do not fill hyperband's brackets of 9 + 5 + 3; say trials=17"),
        (["trials=20"], "say trials=17 or 34"),
        (["reduction=1"], "reduction=1 must be 2 or more"),
        (["rungs=1"], "rungs=1 must be 2 or more"),
        (["rungs=few"], "rungs=few must be a number"),
        (["budget=60"], "budget= takes one trial after the other"),
        (["sampler=tpe"], "sampler=tpe learns from trainings of one length"),
        (
            ["training.max_steps=8"],
            "training.max_steps=8 of miniature/roberta miniature/sst2 lora cannot be cut to 1/9",
        ),
        (["pruner=none", "rungs=3"], "rungs= is pruner=hyperband's"),
    ],
)
def test_mistakes(tune, tmp_path, words, expected):
    result = tune(score, "method=lora", *([] if "pruner=none" in words else ["pruner=hyperband"]), *words)
    assert result.returncode == 2
    assert expected in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "results").exists()


def test_a_study_with_another_pruner_is_refused(tune):
    tune(score, "method=lora", "pruner=hyperband", "reduction=2", "rungs=2")
    result = tune(score, "method=lora", "trials=4")
    assert result.returncode == 2
    assert "was made for another pruner (hyperband (reduction=2 rungs=2), now none)" in result.stderr
