"""The survey's statements of order, asked of other models: what agrees, what does not, and what decides nothing."""

import json
from itertools import product

import pytest

from bench.cli.commands import run_command
from bench.errors import UserError
from bench.findings import echo, evaluate
from bench.findings.report import report
from tests.tables.made_records import make_record, save

CLEAN = {"study": "one", "trials": 8, "on": "selection"}
SIZES = {"full": 100_000, "adapter_s": 3000, "prefix_tuning": 200, "mam": 5000, "untuned": 1}


def run(folder, scores, *, seeds=3, experiment="mine/glue", **settings):
    """Records of a model of one's own on two tasks: accuracy by method."""
    for method, score in scores.items():
        for seed, task in product(range(seeds), ("glue/sst2", "glue/rte")):
            accuracy = {"accuracy": score / 100 + 0.0002 * seed}
            record = make_record(
                "mine", task, method, seed, accuracy, experiment=experiment, trainable=SIZES[method], **settings
            )
            save(folder, record)


def verdicts(made):
    return {one.claim.id: one.verdict for one in made.findings}


@pytest.fixture
def found(tmp_path):
    run(tmp_path, {"full": 80, "adapter_s": 81, "prefix_tuning": 70, "mam": 90, "untuned": 50})
    return echo(str(tmp_path), "mine/glue")


def test_each_statement_of_order_agrees_or_does_not(found):
    told = verdicts(found)
    assert told["mam-over-prefix"] == "agrees"
    assert told["glue-base-above"] == "undecided", "of those that the survey names most were not run"
    figures = {
        (figure["method"], figure["than"], figure["quantity"]): figure["verdict"]
        for one in found.findings
        for figure in one.figures
    }
    assert figures["adapter_s", "full", "score average"] == "agrees"
    assert figures["prefix_tuning", "full", "score average"] == "agrees", "the survey has it below"
    assert figures["mam", "prefix_tuning", "trainable"] == "agrees"
    assert not any("untuned" in key for key in figures), "the base itself is no method"


def test_the_other_way_round_disagrees_and_confirms_or_refutes_nothing(tmp_path):
    run(tmp_path, {"full": 80, "mam": 60, "prefix_tuning": 70})
    assert verdicts(echo(str(tmp_path), "mine/glue"))["mam-over-prefix"] == "disagrees"
    assert {one.verdict for one in evaluate(str(tmp_path))} == {"undecided"}, (
        "of the survey's own models nothing was run"
    )


def test_sizes_of_differences_are_the_survey_s_models_own(found):
    """About 1.3 above becomes above; shares and memory of a model of another size are not asked."""
    asked = [figure for one in found.findings for figure in one.figures]
    assert {(figure["low"], figure["high"]) for figure in asked} == {(0, None), (None, 0)}
    assert not any(figure["quantity"] in ("memory", "share") for figure in asked)


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"seeds": 2}, "2 seeds; 3 decide"),
        ({"training": {"chosen_by": CLEAN | {"on": "reported"}}}, "its settings were chosen on the reported rows"),
    ],
)
def test_few_seeds_or_a_selection_on_the_reported_rows_leave_it_undecided(tmp_path, settings, why):
    run(tmp_path, {"mam": 90, "prefix_tuning": 70}, **settings)
    (one,) = [one for one in echo(str(tmp_path), "mine/glue").findings if one.claim.id == "mam-over-prefix"]
    assert one.verdict == "undecided"
    assert any(why in line for line in one.missing)


def test_what_is_missing_comes_with_its_command(found):
    (one,) = [one for one in found.findings if one.claim.id == "glue-base-above"]
    assert "lora on mine: not run (mine/glue)" in one.missing
    assert any(line.startswith("bench sweep experiment=mine/glue model=mine method=") for line in one.commands)


def test_the_summary_counts_a_comparison_once_however_many_statements_make_it(found):
    assert found.counts["agrees"] == 7
    assert found.summary.startswith("7 comparisons of the survey's Table III agree, 0 disagree, 0 are undecided; ")
    assert not found.miniature


def test_of_one_task_its_score_stands_for_the_average(tmp_path):
    for method, seed in product(("mam", "prefix_tuning"), range(3)):
        scores = {"pearson": 0.8 + 0.1 * (method == "mam"), "spearman": 0.5}
        save(
            tmp_path,
            make_record("mine", "glue/stsb", method, seed, scores, trainable=SIZES[method], experiment="a/glue"),
        )
    found = echo(str(tmp_path), "a/glue")
    assert verdicts(found)["mam-over-prefix"] == "agrees"
    assert "score stsb.pearson" in {figure["quantity"] for one in found.findings for figure in one.figures}


def test_a_miniature_says_that_it_is_one(tmp_path):
    save(tmp_path, make_record("miniature/roberta", "miniature/sst2", "mam"))
    assert echo(str(tmp_path), "miniature/glue").summary.endswith("which say nothing of real ones")


@pytest.mark.parametrize(
    ("experiment", "why"), [("mine/own", "of which the survey states no order"), ("nowhere", "unknown experiment")]
)
def test_what_cannot_be_asked_is_one_line(tmp_path, experiment, why):
    run(tmp_path, {"mam": 90}, experiment="mine/own")
    with pytest.raises(UserError, match=why) as error:
        echo(str(tmp_path), experiment)
    assert "\n" not in str(error.value)


def test_the_command_prints_it_in_three_forms(tmp_path, found, capsys):
    words = ("findings", "experiment=mine/glue", f"results_dir={tmp_path}")
    run_command([*words])
    text = capsys.readouterr().out
    assert "agrees    mam-over-prefix" in text
    assert text.splitlines()[-1] == f"mine/glue: {found.summary}"
    run_command([*words, "format=json"])
    told = json.loads(capsys.readouterr().out)
    assert told["counts"]["agrees"] == 7
    assert {one["id"]: one["verdict"] for one in told["statements"]} == verdicts(found)
    run_command([*words, "format=markdown"])
    assert "| mam-over-prefix | agrees |" in capsys.readouterr().out


def test_the_report_has_it_of_every_experiment_with_such_a_table(tmp_path):
    run(tmp_path, {"full": 80, "mam": 90, "prefix_tuning": 70})
    report(str(tmp_path), str(tmp_path / "report"))
    assert "The survey's order in mine/glue" in (tmp_path / "report" / "findings.md").read_text()
    page = (tmp_path / "report" / "index.html").read_text()
    assert 'id="echoes"' in page
    assert '<span class="verdict confirmed">agrees</span> <b>mam-over-prefix</b>' in page
