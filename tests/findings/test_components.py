"""Claims of ours: which components contribute, apart from the survey's claims."""

import json

import pytest

from bench.findings import evaluate, evaluate_components, findings_to_json, findings_to_markdown
from tests.tables.content.test_effects import one_off, record
from tests.tables.made_records import save


def verdicts(tmp_path, *records):
    save(tmp_path, *records)
    return {one.component: one for one in evaluate_components(str(tmp_path))}


def test_what_is_surely_a_gain_contributes_what_surely_is_none_does_not_and_the_rest_is_open(tmp_path):
    found = verdicts(tmp_path, *one_off(range(4)))
    assert found["prefix"].verdict == "contributes"
    assert found["adapter"].verdict == "contributes"
    assert found["prefix"].value == pytest.approx(4, abs=0.3)
    assert found["prefix"].interval[0] > 0
    assert found["scale"].verdict == "does not"
    assert found["scale"].interval[1] < 0.5
    assert found["prefix"].id == "mam-roberta_base-prefix"


def test_what_neither_is_sure_of_is_undecided_and_says_what_would_decide(tmp_path):
    wild = [
        record(("prefix",), seed, score=score) if one.cell.config["method"]["off"] == ["prefix"] else one
        for one in one_off() for seed, score in [(one.cell.seed, (0.6, 0.9, 0.75)[one.cell.seed])]
    ]  # fmt: skip
    found = verdicts(tmp_path, *wild)
    assert found["prefix"].verdict == "undecided"
    assert found["prefix"].missing == ["more seeds; the interval holds 0, and 0.5 points"]


def test_fewer_than_three_seeds_decide_nothing(tmp_path):
    found = verdicts(tmp_path, *one_off(range(2)))
    assert {one.verdict for one in found.values()} == {"undecided"}
    assert found["prefix"].missing == ["2 paired seed(s); 3 decide"]


def test_trial_runs_decide_nothing(tmp_path):
    found = verdicts(tmp_path, *one_off(training={"max_steps": 5}))
    assert {one.verdict for one in found.values()} == {"undecided"}
    assert "trial runs, which were cut short" in found["prefix"].missing


def test_miniature_records_are_no_claims(tmp_path):
    assert not verdicts(tmp_path, *one_off(task="miniature/sst2", model="miniature/roberta"))


def test_other_experiments_make_no_claims_of_ours(tmp_path):
    assert not verdicts(tmp_path, *one_off(experiment="mine"))


def test_settings_chosen_on_the_reported_rows_decide_nothing(tmp_path):
    chosen = {"chosen_by": {"trials": 4, "on": "reported"}}
    found = verdicts(tmp_path, *one_off(training=chosen))
    assert found["prefix"].verdict == "undecided"
    assert found["prefix"].missing == ["mam on roberta_base: its settings were chosen on the reported rows"]


def test_verdicts_on_settings_that_nobody_tuned_say_so(tmp_path):
    assert verdicts(tmp_path, *one_off())["prefix"].caveats == [
        "nothing was tuned, settings are as given: mam on roberta_base"
    ]


def test_they_stand_apart_from_the_surveys(tmp_path):
    ours = [*verdicts(tmp_path, *one_off()).values()]
    survey = evaluate(str(tmp_path))
    data = json.loads(findings_to_json(survey, ours))
    assert len(data["findings"]) == 21
    assert {item["component"] for item in data["components"]} == {"prefix", "adapter", "scale"}
    assert data["components"][0]["verdict"] == "contributes"
    markdown = findings_to_markdown(survey, ours)
    assert markdown.index("The survey's claims") < markdown.index("### Ours: what components do")
    assert "Ours" not in findings_to_markdown(survey)


def test_the_command_prints_them(bench, tmp_path):
    save(tmp_path / "results", *one_off())
    result = bench("findings")
    assert result.returncode == 0
    assert "mam-roberta_base-prefix" in result.stdout
    assert "ours: " in result.stdout
