"""Table definitions: the project's own, a user's, and what is wrong with a wrong one."""

import pytest

from bench.configuration.folder import CONFIGS
from bench.errors import UserError
from bench.tables import make_table
from bench.tables.definition.grid import expected_cells
from bench.tables.definition.schema import load_definition
from tests.tables.made_records import make_record, save


@pytest.mark.parametrize("path", sorted((CONFIGS / "table").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_definition_of_the_project_can_be_read(path):
    definition = load_definition(path.stem)
    assert definition.title
    assert definition.columns


def test_the_survey_has_a_definition_for_each_of_its_tables():
    numbers = {load_definition(path.stem).survey for path in (CONFIGS / "table").glob("*.yaml")}
    assert {"III", "IV", "V", "VI", "VII", "Figure 4"} <= numbers


def test_a_user_brings_a_table_of_their_own(tmp_path):
    (tmp_path / "mine" / "table").mkdir(parents=True)
    text = "title: Mine\ncolumns:\n- {title: Minutes, field: train_seconds, unit: s, digits: 0}\n- {task: '*'}\n"
    (tmp_path / "mine" / "table" / "mine.yaml").write_text(text)
    save(tmp_path, make_record())
    table = make_table(str(tmp_path), "miniature/glue", "mine", config_dir=str(tmp_path / "mine"))
    assert table.title == "Miniature: Mine"
    assert [column.key for column in table.columns] == ["train_seconds", "sst2.accuracy"]
    assert table.blocks[0].rows[0].entries["train_seconds"].value == 10.0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "needs a title and a list of columns"),
        ("title: x", "needs a title and a list of columns"),
        ("- 1", "is a mapping"),
        ("{", "while parsing"),
        ("title: x\ncolumns: [{task: a, field: b}]", "exactly one of field, task, average and front"),
        (
            "title: x\ncolumns: [{task: '*'}, {front: [kept]}]",
            "one of each of its fields, of kept",
        ),
        ("title: x\ncolumns: [{taks: a}]", "did you mean task"),
        ("title: x\ncolumns: [{field: train_peak, unit: TB}]", "unit=TB must be one of"),
        ("title: x\ncolumns: [{task: a, better: more}]", "better=more"),
        ("title: x\nblocks: [seed]\ncolumns: [{task: a}]", "blocks must be"),
        ("title: x\ncolumns: [{field: nonsense}]", "unknown field 'nonsense'"),
        ("title: x\ncolumns: [{field: host}]", "column 1: unknown field 'host'"),
        ("title: x\ncolumns: [{task: sst2, digits: two}]", "column 1: digits=two is no whole number"),
        ("title: x\ncolumns: [{task: sst2, digits: 1.5}]", r"digits=1\.5 is no whole number"),
        ("title: x\ncolumns: [{task: sst2, digits: -1}]", "digits=-1 must be between 0 and"),
        ("title: x\ncolumns: [{task: sst2, scale: big}]", "scale=big is no number"),
        ("title: x\ncolumns: [{task: sst2, metrics: [accuracy]}]", "is no mapping of metrics to headers"),
        (
            "title: x\ncolumns: [{task: sst2, metrics: {acuracy: Acc}}]",
            "'acuracy'; did you mean accuracy",
        ),
        ("title: x\ncolumns: [{field: train_peak, below: fulll}]", "unknown method 'fulll'; did you mean full"),
        ("title: x\nmethods: lora\ncolumns: [{task: sst2}]", "methods=lora is no list"),
        ("title: x\nmethods: [full, lorra]\ncolumns: [{task: sst2}]", "unknown method 'lorra'; did you mean lora"),
        ("title: x\nrows: method\ncolumns: [{task: sst2}]", "rows=method is no list"),
        ("title: x\nrows: [training.epochs]\ncolumns: [{task: sst2}]", "rows must be"),
        ("title: x\nrows: [method, training.nonsense]\ncolumns: [{task: sst2}]", "unknown setting 'training.nonsense'"),
        ("title: x\nrows: [method, seed]\ncolumns: [{task: sst2}]", "rows: seeds are averaged over"),
        ("title: x\ncolumns: [{field: steps}, {average: true}]", "an average needs columns of tasks"),
        ("title: x\nnote: [a]\ncolumns: [{task: sst2}]", r"note=\['a'\] is no plain text"),
        ("title: 'a ${b}'\ncolumns: [{task: sst2}]", "is no plain text"),
        ("title: x\ncolumns: [{task: sst2}, {task: sst2, scale: 1}]", "the column 'sst2.accuracy' twice"),
        ("title: x\ncolumns: [{field: steps}, {field: steps, title: again}]", "the column 'steps' twice"),
    ],
)
def test_a_wrong_definition_is_refused_in_one_line(tmp_path, text, message):
    (tmp_path / "table").mkdir()
    (tmp_path / "table" / "wrong.yaml").write_text(text)
    save(tmp_path, make_record())
    with pytest.raises(UserError, match=message) as error:
        make_table(str(tmp_path), "miniature/glue", "wrong", config_dir=str(tmp_path))
    assert "\n" not in str(error.value)


def test_a_number_of_the_survey_may_be_a_number_and_a_setting_or_method_of_the_records_may_be_named(tmp_path):
    (tmp_path / "table").mkdir()
    text = "title: x\nsurvey: 3\nrows: [method, training.epochs]\nmethods: [mine]\ncolumns: [{task: sst2}]\n"
    (tmp_path / "table" / "mine.yaml").write_text(text)
    save(tmp_path, make_record(method="mine"))
    table = make_table(str(tmp_path), "miniature/glue", "mine", config_dir=str(tmp_path))
    assert table.survey == "3"
    assert table.blocks[0].rows[0].keys == ("3",)


def test_a_field_is_written_in_its_own_unit(tmp_path):
    (tmp_path / "table").mkdir()
    text = "title: x\ncolumns: [{field: train_peak}, {field: trainable, share_of: base_total}, {task: sst2}]\n"
    (tmp_path / "table" / "mine.yaml").write_text(text)
    save(tmp_path, make_record(train_peak=2_000_000_000))
    table = make_table(str(tmp_path), "miniature/glue", "mine", config_dir=str(tmp_path))
    assert [column.unit for column in table.columns] == ["MB", "percent", "score"]  # a miniature's memory
    assert [column.title for column in table.columns] == ["train_peak (MB)", "trainable (%)", "miniature/sst2"]
    assert table.blocks[0].rows[0].entries["train_peak"].value == 2000.0


def test_a_folder_that_is_not_there_is_named(tmp_path):
    save(tmp_path, make_record())
    with pytest.raises(UserError, match="--config-dir /nowhere: no such folder"):
        make_table(str(tmp_path), "miniature/glue", config_dir="/nowhere")


def test_a_grid_is_multiplied_out():
    grid = [
        {"model": "m", "task": ["a", "b"], "method": "x", "seed": [0, 1]},
        {"model": "m", "task": "a", "method": "x", "+training.learning_rate": ["1e-4", 0.001]},
        {"method": "x"},
    ]
    cells = expected_cells(grid)
    assert len(cells) == 6
    assert [cell.settings for cell in cells[-2:]] == [
        (("training.learning_rate", "0.0001"),),
        (("training.learning_rate", "0.001"),),
    ]
