"""The survey's own values beside ours: only what a reader filled in, never one without a source."""

import io
import shutil

import pytest
import yaml
from rich.console import Console

from bench.errors import UserError
from bench.findings import set_reference
from bench.findings.claims import load_claims
from bench.tables import make_table, render_text, to_latex, to_markdown
from bench.tables.content.reference import SURVEY, read_values, with_reference
from bench.tables.formats.csv_files import wide_frame
from bench.tables.page.html import to_html
from tests.tables.made_records import make_record, save

CELL = {"table": "III", "row": "lora", "model": "roberta-base", "column": "cola", "value": "12.5"}


@pytest.fixture
def survey(tmp_path):
    return shutil.copy(SURVEY, tmp_path / "survey.yaml")


def test_the_shipped_file_has_no_values():
    assert read_values() == []


def test_a_value_is_set_replaced_and_leaves_the_rest_of_the_file_alone(survey):
    before = survey.read_text().rpartition("\nvalues:")[0]
    assert set_reference(CELL, survey)["value"] == 12.5
    set_reference({**CELL, "column": "rte", "source": "the paper, v1"}, survey)
    set_reference({**CELL, "value": "13"}, survey)
    assert survey.read_text().startswith(before)
    values = yaml.safe_load(survey.read_text())["values"]
    assert [(value["column"], value["value"]) for value in values] == [("rte", 12.5), ("cola", 13.0)]
    assert values[1]["source"] == "Xu et al. 2023, arXiv:2312.12148, Table III, typed in by a reader"
    assert len(load_claims(survey)) == 21


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"value": "high"}, "value=high is no number"),
        ({"value": "nan"}, "value=nan is no number"),
        ({"source": ""}, "lacks source"),
        ({"row": ""}, "lacks row"),
        ({"cell": "x"}, "unknown key cell"),
        ({"table": "XII"}, "unknown table 'XII'; "),
        ({"row": "lorra"}, "unknown method 'lorra'; did you mean lora"),
        ({"model": "gpt-9"}, "unknown model 'gpt-9'; "),
        ({"column": "colaa"}, "unknown column of Table III 'colaa'; did you mean cola"),
        ({"column": "mrpc.mcc"}, "unknown column of Table III 'mrpc.mcc'"),
        ({"training.learning_rate": "1e-4"}, "Table III has no rows for each training.learning_rate"),
        (
            {"table": "V", "row": "full", "model": "llama-7b", "column": "mmlu"},
            "say which: training.learning_rate=VALUE",
        ),
    ],
)
def test_a_value_that_cannot_be_is_refused(survey, change, message):
    with pytest.raises(UserError, match=message):
        set_reference({**CELL, **change}, survey)
    assert read_values(survey) == []


def test_a_value_without_a_source_in_the_file_is_refused(survey):
    survey.write_text(survey.read_text().replace("\nvalues: []", "\nvalues:\n  - {table: III, row: lora, value: 1}"))
    with pytest.raises(UserError, match="lacks model, column, source"):
        read_values(survey)


def test_known_values_stand_beside_ours_with_the_difference(survey, tmp_path):
    set_reference(CELL, survey)
    results = tmp_path / "results"
    scores = {"matthews_correlation": 0.15}
    save(results, make_record("roberta_base", "glue/cola", "lora", scores=scores, experiment="survey/glue"))
    table = with_reference(make_table(str(results), "survey/glue", "glue"), survey)
    console = Console(file=io.StringIO(), width=150)
    render_text(table, console)
    for text in (console.file.getvalue(), to_markdown(table), to_latex(table), to_html([table], figures=False)):
        assert "12.50 (+2.50)" in text
        assert "typed in by a reader" in text
    assert wide_frame(table)["cola.matthews_correlation.survey"].tolist() == [12.5]


RATE = {"table": "V", "row": "full", "model": "llama-7b", "column": "mmlu", "value": "30"}


def test_a_value_stands_beside_the_learning_rate_that_it_is_of(survey, tmp_path):
    set_reference({**RATE, "training.learning_rate": "2e-5"}, survey)
    set_reference({**RATE, "training.learning_rate": "0.0001", "value": "31"}, survey)
    set_reference({**RATE, "training.learning_rate": "1e-4", "model": "llama_7b", "value": "32"}, survey)
    assert [value["value"] for value in read_values(survey)] == [30.0, 32.0]
    results = tmp_path / "results"
    for rate in (1e-5, 2e-5, 1e-4):
        save(results, make_record("llama_7b", "mmlu", "full", scores={"accuracy_macro": 0.3},
                                  experiment="survey/learning_rate", training={"learning_rate": rate}))  # fmt: skip
    table = with_reference(make_table(str(results), "survey/learning_rate"), survey)
    beside = {row.keys[0]: row.entries["mmlu.accuracy_macro"].reference for row in table.blocks[0].rows}
    assert beside == {"1e-05": None, "2e-05": 30.0, "0.0001": 32.0}


def test_rows_that_the_survey_does_not_tell_apart_have_no_value_beside_them(survey, tmp_path):
    set_reference(CELL, survey)
    results = tmp_path / "results"
    for epochs in (3.0, 10.0):
        save(results, make_record("roberta_base", "glue/cola", "lora", scores={"matthews_correlation": 0.5},
                                  experiment="survey/glue", training={"epochs": epochs}))  # fmt: skip
    table = with_reference(make_table(str(results), "survey/glue", "glue"), survey)
    assert {entry.reference for row in table.blocks[0].rows for entry in row.entries.values()} == {None}
    assert any("lora on roberta_base: rows of different settings" in note for note in table.notes)


def test_a_misspelt_value_in_the_file_is_named_by_the_table_that_it_is_of(survey, tmp_path):
    line = "{table: III, row: lorra, model: roberta-base, column: cola, value: 1, source: me}"
    survey.write_text(survey.read_text().replace("\nvalues: []", f"\nvalues:\n  - {line}"))
    scores = {"matthews_correlation": 0.5}
    save(tmp_path / "r", make_record("roberta_base", "glue/cola", scores=scores, experiment="survey/glue"))
    with pytest.raises(UserError, match="did you mean lora"):
        with_reference(make_table(str(tmp_path / "r"), "survey/glue", "glue"), survey)


def test_a_users_own_method_and_table_have_values_too(survey, tmp_path):
    (tmp_path / "method").mkdir()
    (tmp_path / "method" / "mine.yaml").write_text("name: mine\n")
    (tmp_path / "table").mkdir()
    (tmp_path / "table" / "own.yaml").write_text("title: x\nsurvey: A1\ncolumns: [{field: trainable}, {task: '*'}]\n")
    cell = {"table": "A1", "row": "mine", "model": "roberta-base", "column": "rte", "value": "1", "source": "me"}
    assert set_reference(cell, survey, str(tmp_path))["row"] == "mine"
    with pytest.raises(UserError, match="unknown table 'A1'"):
        set_reference(cell, survey)


def test_a_miniature_has_no_values_beside_it(survey, tmp_path):
    set_reference({**CELL, "model": "miniature/roberta", "column": "sst2"}, survey)
    save(tmp_path / "r", make_record())
    table = with_reference(make_table(str(tmp_path / "r"), "miniature/glue", "glue"), survey)
    assert table.blocks[0].rows[0].entries["sst2.accuracy"].reference is None
