"""Cells that are scored on a share of their training rows: what their records say, and what they never read."""

import pytest

from bench.configuration.compose import Configurations
from bench.errors import UserError
from bench.records.schema import Status
from bench.running.runner import run_cell
from bench.running.task_check import look_at_task
from tests.cells import MODELS, SHORT

SELECTING = ("data.score_on=selection", "data.selection_share=0.2", "data.selection_seed=3")


def test_a_record_says_which_rows_were_scored_and_names_no_other(compose):
    task = ("model=miniature/roberta", "task=miniature/mrpc", *SHORT)
    record, _ = run_cell(compose(*task, *SELECTING, "training.evaluations=3", "training.keep_best=true"))
    assert record.status == Status.done, record.error
    assert record.metrics.notes["scored_on"] == {
        "splits": ["selection"], "along_training": True, "selection": {"split": "train", "share": 0.2, "seed": 3},
    }  # fmt: skip
    assert record.metrics.examples == {"train": 96, "selection": 12}
    assert list(record.metrics.values) == ["accuracy", "f1"]
    assert record.metrics.values["accuracy"] == max(point["values"]["accuracy"] for point in record.metrics.curve)
    assert [name.rpartition("/")[2] for name in record.fingerprints["data"]] == ["train"]
    assert [name.rpartition("/")[2] for name in record.environment["data"]] == ["train"]
    assert record.cell.config["data"]["score_on"] == "selection"


@pytest.mark.parametrize("family", ["encoder_decoder", "decoder"])
def test_where_a_test_split_is_reported_validation_is_scored(compose, family):
    task = {"encoder_decoder": "miniature/wmt16", "decoder": "miniature/mmlu"}[family]
    record, _ = run_cell(compose(f"model={MODELS[family]}", f"task={task}", *SHORT, "data.score_on=selection"))
    assert record.status == Status.done, record.error
    scored = {"splits": ["validation"], "along_training": True, "selection": {"split": "validation"}}
    assert record.metrics.notes["scored_on"] == scored
    assert "test" not in record.metrics.examples
    assert not any("test" in name for name in record.fingerprints["data"])


def test_other_cells_say_what_they_report(compose):
    for model, task, splits, same in (
        ("roberta", "sst2", ["validation"], True),
        ("t5", "wmt16", ["test"], False),
    ):
        record, _ = run_cell(compose(f"model=miniature/{model}", f"task=miniature/{task}", *SHORT))
        assert record.metrics.notes["scored_on"] == {"splits": splits, "along_training": same}


def test_repeated_texts_are_in_the_warnings_and_on_one_side(compose, tmp_path):
    texts = [f"{first} {second} ." for first in ("sti", "nu", "den", "va") for second in ("bu", "per", "vafe", "kupal")]
    lines = [f"{text},{at % 2}" for at, text in enumerate(texts * 4)]
    (tmp_path / "train.csv").write_text("\n".join(["text,label", *lines]) + "\n")
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "task").mkdir()
    (tmp_path / "own" / "task" / "own.yaml").write_text(
        "form: classification\nname: own\ntitle: Own\ntext: text\nlabel: label\nlabels: [0, 1]\n"
        f"data: {{files: {tmp_path / 'train.csv'}}}\nmetrics: [accuracy]\n"
    )
    words = ["model=miniature/roberta", "task=own", *SELECTING, "training.max_steps=2", f"results_dir={tmp_path}"]
    with Configurations(str(tmp_path / "own")) as configurations:
        cell = configurations.cell(words)
    record, _ = run_cell(cell)
    train, scored = record.metrics.examples["train"], record.metrics.examples["selection"]
    assert train + scored == 64
    assert scored % 4 == 0
    told = f"{train * 3 // 4} of the {train} training rows repeat the text of another; rows with the same text are"
    assert any(warning.startswith(told) for warning in record.warnings)
    assert not any("have the text of a training row" in warning for warning in record.warnings)
    report = look_at_task(cell)
    assert report.splits["train"].twice == train * 3 // 4
    assert report.splits["selection"].in_train == 0


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("data.score_on=validation", "data.score_on"),
        ("data.selection_share=0", "data.selection_share=0.0 must be greater than 0, below 1"),
        ("data.selection_share=1", "data.selection_share=1.0 must be greater than 0, below 1"),
        ("data.selection_seed=-1", "data.selection_seed=-1 must be 0 or more"),
    ],
)
def test_what_cannot_be_is_one_line(compose, word, said):
    with pytest.raises(UserError) as error:
        compose("model=miniature/roberta", "task=miniature/sst2", word)
    assert said in str(error.value)


def test_synthetic_data_are_trained_on_all_the_same(compose):
    task = ("model=miniature/roberta", "task=miniature/sst2", "data.synthetic=true", "training.max_steps=2")
    record, _ = run_cell(compose(*task, "data.score_on=selection"))
    assert record.status == Status.done, record.error
    assert "scored_on" not in record.metrics.notes
