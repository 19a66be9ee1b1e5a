"""Tasks that are declared in YAML alone: what is read, what a model is given, and what is refused, where and why."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from transformers import PreTrainedTokenizerBase

from bench.configuration.schema import DataConfig, Family
from bench.errors import UserError
from bench.identity.data import changed, reading
from bench.tasks.base import Task, TaskData
from bench.tasks.build import task_from

ROWS = [("den sti .", "bad"), ("nu rulbo .", "good"), ("va bu rinbra .", "bad"), ("sti kupal nu .", "good")] * 5
Declare = Callable[..., dict[str, Any]]


@pytest.fixture
def declare(tmp_path: Path) -> Declare:
    """A classification of `reviews.csv` in the test's own folder, with changes."""

    def write(rows: Any = ROWS, file: str = "reviews.csv", header: str = "review,stars", **changes: Any) -> Any:
        lines = [",".join(map(str, row)) if isinstance(row, tuple) else row for row in rows]
        content = "\n".join([header, *lines]) + "\n"
        (tmp_path / file).write_bytes(content.encode() if isinstance(content, str) else content)
        return {
            "form": "classification", "name": "reviews", "title": "Reviews", "text": "review", "label": "stars",
            "labels": ["bad", "good"], "data": {"files": str(tmp_path / file), "holdout": 0.2},
        } | changes  # fmt: skip

    return write


def loaded(
    config: dict[str, Any], tokens: PreTrainedTokenizerBase, family: Family = Family.encoder, max_length: int = 32
) -> tuple[Task, TaskData]:
    task = task_from(config).on(family)
    return task, task.load(tokens, max_length, DataConfig())


def refusal(config: dict[str, Any], tokens: PreTrainedTokenizerBase, family: Family = Family.encoder) -> str:
    with pytest.raises(UserError) as error:
        loaded(config, tokens, family)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_head_is_given_the_texts_tokens_and_the_labels_number(declare, tokenizer):
    task, data = loaded(declare(), tokenizer)
    assert task.head().labels == 2
    example = data.train[0]
    assert tokenizer.decode(example["input_ids"], skip_special_tokens=True) in [text for text, _ in ROWS]
    assert {example["labels"] for example in data.train} == {0, 1}
    assert data.notes["answer"] == "head"


def test_rows_of_one_text_are_not_parted_by_holding_out(declare, tokenizer):
    _, data = loaded(declare(data=declare()["data"] | {"holdout": 0.5}), tokenizer)
    train = {tuple(example["input_ids"]) for example in data.train}
    held_out = {tuple(example["input_ids"]) for example in data.validation["validation"].examples}
    assert len(train) == len(held_out) == 2
    assert not train & held_out


def test_a_decoder_that_writes_is_trained_on_the_word_and_the_end_alone(declare, decoder_tokenizer):
    words = {"words": {"bad": "A", "good": "B"}, "answer": "words"}
    task, data = loaded(declare(**words, prompt="{review} Answer:"), decoder_tokenizer, Family.decoder)
    assert task.head() is None
    for example in data.train:
        learnt = [token for token in example["labels"] if token >= 0]
        assert learnt[-1] == decoder_tokenizer.eos_token_id
        assert decoder_tokenizer.decode(learnt, skip_special_tokens=True).strip() in ("A", "B")
        assert example["input_ids"][-len(learnt) :] == learnt
    asked = data.validation["validation"]
    assert decoder_tokenizer.decode(asked.examples[0]["input_ids"]).endswith("Answer :")
    assert set(asked.references) <= {0, 1}


def test_a_long_text_is_shortened_and_the_words_around_it_are_not(declare, decoder_tokenizer):
    rows = [(" ".join(["nu rulbo"] * 60), label) for label in ("bad", "good")] + ROWS
    words = {"words": {"bad": "A", "good": "B"}, "answer": "words", "prompt": "{review} Answer:"}
    _, data = loaded(declare(rows, **words), decoder_tokenizer, Family.decoder)
    everything = [*data.train, *data.validation["validation"].examples]
    longest = max(everything, key=lambda example: len(example["input_ids"]))
    assert 25 < len(longest["input_ids"]) <= 32
    assert "Answer :" in decoder_tokenizer.decode(longest["input_ids"])
    assert sum(data.notes["texts_shortened"].values()) == 2


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "parquet", "folder", "files"])
def test_all_kinds_of_files_give_the_same_rows(declare, tokenizer, tmp_path, kind):
    rows = [{"review": text, "stars": label} for text, label in ROWS]
    _, expected = loaded(declare(), tokenizer)
    config = declare()
    files: Any = str(tmp_path / f"rows.{kind}")
    if kind in ("csv", "tsv"):
        separator = "," if kind == "csv" else "\t"
        lines = [separator.join(row) for row in [("review", "stars"), *ROWS]]
        (tmp_path / f"rows.{kind}").write_text("\ufeff" + "\r\n".join(lines))
    elif kind == "jsonl":
        (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif kind == "parquet":
        pa.parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "rows.parquet")
    else:
        folder = tmp_path / "folder"
        folder.mkdir()
        for split in ("train", "validation"):
            (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        files = str(folder)
        if kind == "files":
            files = {split: str(folder / f"{split}.jsonl") for split in ("train", "validation")}
        _, found = loaded(config | {"data": {"files": files}}, tokenizer)
        assert len(found.train) == len(found.validation["validation"].examples) == len(ROWS)
        return
    _, found = loaded(config | {"data": {"files": files, "holdout": 0.2}}, tokenizer)
    assert list(found.train) == list(expected.train)


def test_quoted_fields_may_hold_commas_quotes_and_lines(declare, tokenizer):
    rows = ['"den, ""sti""\nnu .",bad', *ROWS]
    _, data = loaded(declare(rows), tokenizer)
    assert len(data.train) + len(data.validation["validation"].examples) == len(ROWS) + 1


def test_a_number_and_its_text_are_the_same_label(declare, tokenizer, tmp_path):
    rows = [{"review": text, "stars": index % 2} for index, (text, _) in enumerate(ROWS)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    config = declare(labels={0: "bad", 1: "good"}, data={"files": str(tmp_path / "rows.jsonl"), "holdout": 0.2})
    task, data = loaded(config, tokenizer)
    assert task.names == ("bad", "good")
    assert {example["labels"] for example in data.train} == {0, 1}


def test_label_numbers_that_a_file_names_otherwise_are_refused(declare, tokenizer, tmp_path):
    """`datasets` writes the names of a label's numbers into a parquet file: swapped, every score would be wrong."""
    table = pa.Table.from_pylist([{"review": text, "stars": index % 2} for index, (text, _) in enumerate(ROWS)])
    features = {"info": {"features": {"stars": {"names": ["good", "bad"], "_type": "ClassLabel"}}}}
    table = table.replace_schema_metadata({"huggingface": json.dumps(features)})
    pa.parquet.write_table(table, tmp_path / "rows.parquet")
    data = {"files": str(tmp_path / "rows.parquet"), "holdout": 0.2}
    assert "['good', 'bad'] instead of ['bad', 'good']" in refusal(declare(data=data), tokenizer)
    _, found = loaded(declare(data=data, labels=["good", "bad"]), tokenizer)
    assert {example["labels"] for example in found.train} == {0, 1}


def test_rows_are_picked_and_columns_renamed(declare, tokenizer):
    rows = [(text, label, language) for text, label in ROWS for language in ("a", "b", "c")]
    data = declare()["data"] | {"where": {"lang": ["a", "c"]}, "rename": {"#1 String": "review"}}
    _, found = loaded(declare(rows, header="#1 String,stars,lang", data=data), tokenizer)
    assert len(found.train) + len(found.validation["validation"].examples) == 2 * len(ROWS)
    missing = declare(rows, header="#1 String,stars,lang", data=data | {"where": {"lang": "d"}})
    assert "no row of train has it; there are a, b, c" in refusal(missing, tokenizer)


WRONG_ROWS: dict[str, tuple[list[Any], str]] = {
    "a label outside": ([("den", "ugly")], "reviews.csv, row 22: stars is 'ugly', which is none of bad, good"),
    "no label": ([("den", "")], "row 22: stars is missing; it has to be one of bad, good"),
    "an empty text": ([("  ", "bad")], "row 22: review is empty"),
    "too few fields": (["den"], "row 22: 1 fields, the header has 2"),
    "too many fields": ([("den", "bad", "3")], "row 22: 3 fields, the header has 2"),
    "an open quote": (['"den,bad'], "row 22: unexpected end of data"),
}


@pytest.mark.parametrize("name", WRONG_ROWS)
def test_a_wrong_row_is_named_with_file_row_and_column(declare, tokenizer, name):
    rows, message = WRONG_ROWS[name]
    assert message in refusal(declare([*ROWS, *rows]), tokenizer)


def test_a_file_in_another_encoding_is_refused_with_the_row(declare, tokenizer, tmp_path):
    config = declare()
    with (tmp_path / "reviews.csv").open("ab") as stream:
        stream.write("größe,bad\n".encode("latin-1"))
    assert "reviews.csv, row 22: not UTF-8" in refusal(config, tokenizer)


WRONG_SETTINGS: dict[str, tuple[dict[str, Any], str]] = {
    "a key": ({"lable": "stars"}, "unknown setting of task 'lable'; did you mean label"),
    "a form": ({"form": "clasification"}, "did you mean classification?"),
    "a column": ({"text": "text"}, "the column text is missing; it has review, stars"),
    "a metric": ({"metrics": ["acuracy"]}, "unknown metric 'acuracy'; did you mean accuracy"),
    "a metric of two labels": ({"labels": ["bad", "good", "fair"], "metrics": ["f1"]}, "f1_macro"),
    "one label": ({"labels": ["bad"]}, "two labels or more"),
    "a label twice": ({"labels": ["bad", "bad"]}, "'bad' twice"),
    "a word of no label": ({"words": {"god": "A"}}, "did you mean good?"),
    "a field": ({"prompt": "{reviw}"}, "unknown column in task.prompt 'reviw'; did you mean review?"),
    "code in a template": ({"prompt": "{review.__class__}"}, "unknown column in task.prompt"),
    "an open brace": ({"prompt": "{review"}, "task.prompt"),
    "a way": ({"answer": "words"}, "a model of the family 'encoder' answers this task by head"),
    "a family": ({"answer": {"decodr": "words"}}, "did you mean decoder"),
    "a kind of value": ({"text": 3}, "task.text=3 must be"),
    "the text as label": ({"label": "review"}, "task.label=review is one of the texts"),
}


@pytest.mark.parametrize("name", WRONG_SETTINGS)
def test_a_wrong_setting_is_refused_in_a_line(declare, tokenizer, name):
    changes, message = WRONG_SETTINGS[name]
    assert message in refusal(declare() | changes, tokenizer)


WRONG_DATA: dict[str, tuple[dict[str, Any], str]] = {
    "a key": ({"file": "x.csv"}, "unknown setting of task.data 'file'; did you mean files"),
    "nothing to validate on": ({"holdout": None}, "task.data has nothing to validate on"),
    "a share": ({"holdout": 2}, "task.data.holdout=2 must be a share between 0 and 1"),
    "files and hub": ({"hub": "a/b"}, "task.data names either files or hub"),
    "no such file": ({"files": "nowhere.csv"}, "task.data.files: nowhere.csv is neither in"),
    "another kind": ({"files": "setup.xlsx"}, "task.data.files"),
    "a split": ({"files": {"train": "a.csv", "dev": "b.csv"}}, "unknown split in task.data.files 'dev'"),
    "a text that may be empty": ({"may_be_empty": ["revew"]}, "did you mean review?"),
}


@pytest.mark.parametrize("name", WRONG_DATA)
def test_wrong_data_are_refused_in_a_line(declare, tokenizer, name):
    changes, message = WRONG_DATA[name]
    config = declare()
    assert message in refusal(config | {"data": config["data"] | changes}, tokenizer)


def test_a_column_with_one_label_alone_teaches_nothing(declare, tokenizer):
    assert "stars is the same in all" in refusal(declare([(text, "bad") for text, _ in ROWS]), tokenizer)


@pytest.mark.parametrize(("count", "is_refused"), [(19, False), (20, True)])
def test_a_repositorys_rows_of_one_label_are_refused_unless_they_are_a_trial_runs_few(
    declare, tokenizer, count, is_refused
):
    config = declare()
    task = task_from(config | {"data": {"hub": "a/b", "splits": {"train": "train", "validation": "validation"}}})
    rows = pa.table({"review": ["nu rulbo"] * count, "stars": [0] * count})
    if is_refused:
        with pytest.raises(UserError, match=f"stars is the same in all {count} training rows"):
            task.on(Family.encoder).tokens(tokenizer, rows, 16, train=True)
    else:
        assert len(task.on(Family.encoder).tokens(tokenizer, rows, 16, train=True)) == count


def test_a_template_that_does_not_fit_is_refused(declare, decoder_tokenizer):
    config = declare(answer="words", words={"bad": "A", "good": "B"}, prompt="{review}" + " nu rulbo" * 40 + " Answer:")
    assert "its prompt alone takes" in refusal(config, decoder_tokenizer, Family.decoder)


def test_files_that_have_changed_since_are_noticed(declare, tokenizer, tmp_path):
    config = declare()
    with reading() as read:
        loaded(config, tokenizer)
    [(where, recorded)] = read.items()
    assert changed(where, recorded, None) is False
    (tmp_path / "reviews.csv").write_text("review,stars\n")
    assert changed(where, recorded, None) is True


def test_numbers_are_learnt_and_scored_as_numbers(declare, tokenizer):
    rows = [(text, index / 4) for index, (text, _) in enumerate(ROWS)]
    config = {key: value for key, value in declare(rows).items() if key != "labels"}
    task, data = loaded(config | {"form": "regression", "high": 5.0}, tokenizer)
    assert task.head().regression
    references = data.validation["validation"].references
    assert task.score({"validation": references}, {"validation": references})["rmse"] == 0
    over = config | {"form": "regression", "high": 4.0}
    assert "row 19: stars is 4.25, outside of the range" in refusal(over, tokenizer)


def doubled(references: list[int], predictions: list[int]) -> float:
    return 2.0 * len(references)


def test_a_metric_of_ones_own_says_which_way_is_better(declare):
    own = {"_target_": f"{__name__}.doubled", "name": "regret", "better": "lower"}
    task = task_from(declare(metrics=[own, "accuracy"]))
    assert task.main_metric == "regret"
    assert task.metric("regret").better == "lower"
    assert task.score({"validation": [0, 1]}, {"validation": [0, 0]}) == {"regret": 4.0, "accuracy": 0.5}
