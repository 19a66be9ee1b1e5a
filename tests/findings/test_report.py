"""`make report`: everything that has been run, in one folder."""

import json

import pytest

from bench.cli.commands import run_command
from bench.errors import UserError
from bench.findings.report import report
from bench.records.schema import InferenceCost
from tests.tables.golden_records import write_golden_records
from tests.tables.made_records import make_record, save


def test_the_report_has_every_table_figure_and_finding(tmp_path):
    results, out = tmp_path / "results", tmp_path / "results" / "report"
    write_golden_records(results)
    curve = [(1, 0.3), (2, 0.35), (3, 0.32)]
    for method in ("full", "lora"):
        save(
            results,
            make_record(
                "llama_7b", "mmlu", method, scores={"accuracy_macro": 0.4}, experiment="survey/mmlu", curve=curve
            ),
        )
    paths = report(str(results), str(out))
    names = {path.name for path in paths}
    assert paths[0] == out / "index.html"
    assert {"findings.md", "findings.json", "miniature-glue.tex", "miniature-glue.long.csv", "survey-mmlu.md"} <= names
    assert {"miniature-glue.score.pdf", "survey-mmlu-curve.curve.png", "miniature-glue-memory.memory1.png"} <= names
    assert all(path.stat().st_size for path in paths)
    page = (out / "index.html").read_text()
    assert "Table III in miniature" in page
    assert "Table VI, rerun" in page
    assert "The survey&#x27;s claims" in page or "The survey's claims" in page
    assert len(json.loads((out / "findings.json").read_text())["findings"]) == 21


def test_tables_that_mix_how_settings_were_chosen_are_left_out_and_that_is_said(tmp_path, capsys):
    for method, on in (("lora", "selection"), ("full", "reported")):
        save(tmp_path, make_record(method=method, training={"chosen_by": {"trials": 4, "on": on}}))
    save(tmp_path, make_record("llama_7b", "mmlu", scores={"accuracy_macro": 0.4}, experiment="survey/mmlu"))
    names = {path.name for path in report(str(tmp_path), str(tmp_path / "report"))}
    assert "survey-mmlu.md" in names
    assert "miniature-glue.md" not in names
    said = capsys.readouterr().err
    assert "miniature/glue: settings chosen on the reported rows (full on miniature/roberta) beside" in said
    assert "its tables are left out" in said


def test_the_report_has_speed_and_cost_of_inference_where_they_were_measured(tmp_path):
    record = make_record("roberta_base", "glue/rte", experiment="survey/memory", measure="rss")
    record.time.step_p50 = 0.03
    record.inference = {"adapted": InferenceCost(0.02, 10**9, 10**9), "bare": InferenceCost(0.01, 10**9, 10**9)}
    save(tmp_path, record, make_record("roberta_base", "glue/rte", experiment="survey/glue", measure="rss"))
    names = {path.name for path in report(str(tmp_path), str(tmp_path / "report"))}
    assert {"survey-memory.md", "survey-memory-inference.md", "survey-memory-inference.tex", "survey-glue.md"} <= names
    assert {"survey-memory-speed.md", "survey-memory-speed.long.csv"} <= names
    assert "survey-glue-inference.md" not in names
    assert "Cost of a forward pass" in (tmp_path / "report" / "index.html").read_text()


def test_the_report_has_the_users_own_tables_of_the_experiments_that_they_fit(tmp_path):
    folder = tmp_path / "mine" / "table"
    folder.mkdir(parents=True)
    (folder / "minutes.yaml").write_text(
        "title: Minutes\ncolumns:\n- {field: train_seconds, unit: s}\n- {task: sst2}\n"
    )
    (folder / "glue.yaml").write_text("title: In place of the project's\ncolumns:\n- {task: '*'}\n")
    save(
        tmp_path,
        make_record(measure="rss"),
        make_record("miniature/t5", "miniature/wmt16", experiment="miniature/wmt16", measure="rss"),
    )
    paths = report(str(tmp_path), str(tmp_path / "report"), str(tmp_path / "mine"))
    names = {path.name for path in paths if path.suffix == ".md"}
    assert names == {"miniature-glue.md", "miniature-glue-minutes.md", "miniature-wmt16.md", "findings.md"}
    assert "In place of the project" in (tmp_path / "report" / "miniature-glue.md").read_text()


def test_its_own_output_is_no_experiment(tmp_path):
    save(tmp_path, make_record(measure="rss"))
    first, second = (report(str(tmp_path), str(tmp_path / "report")) for _ in range(2))
    assert first == second


def test_a_wrong_table_of_the_users_is_said_in_one_line(tmp_path, capsys):
    save(tmp_path, make_record())
    (tmp_path / "mine" / "table").mkdir(parents=True)
    (tmp_path / "mine" / "table" / "wrong.yaml").write_text("title: x\ncolumns: [{taks: sst2}]\n")
    command = ["report", f"results_dir={tmp_path}", "--config-dir"]
    assert run_command([*command, str(tmp_path / "mine")]) == 2
    assert "did you mean task" in capsys.readouterr().err
    assert run_command([*command, str(tmp_path / "nowhere")]) == 2
    assert capsys.readouterr().err == f"bench: --config-dir {tmp_path / 'nowhere'}: no such folder\n"


def test_an_empty_folder_is_one_clear_line(tmp_path):
    with pytest.raises(UserError, match="bench sweep experiment=miniature/glue"):
        report(str(tmp_path), str(tmp_path / "report"))
