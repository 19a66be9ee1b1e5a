"""Declared tasks whose answers are written: what is learnt, what is asked, what is refused."""

import json
from pathlib import Path
from typing import Any

import pytest
from transformers import PreTrainedTokenizerBase

from bench.configuration.compose import Configurations
from bench.configuration.schema import DataConfig, Family
from bench.data.example import Padding
from bench.errors import UserError
from bench.evaluation.inference import Inference
from bench.tasks.build import task_from

QUESTIONS = [
    {"q": f"nu rulbo {word} ?", "a": "den sti .", "b": f"va {word} bu .", "right": "ab"[at % 2], "c": f"nu {word} ."}
    for at, word in enumerate(["sti", "kupal", "nu", "den", "va", "bu", "per", "vafe"])
]
CHOICE: dict[str, Any] = {
    "form": "multiple_choice", "name": "own", "title": "", "text": "q", "options": ["a", "b"], "label": "right",
    "labels": ["a", "b"],
}  # fmt: skip
WRITE: dict[str, Any] = {
    "form": "generation", "name": "own", "title": "", "text": "q", "target": "c", "max_new_tokens": 8,
}  # fmt: skip


@pytest.fixture
def data(tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in QUESTIONS))
    return {"files": str(tmp_path / "rows.jsonl"), "holdout": 0.25}


def learnt(tokenizer: PreTrainedTokenizerBase, example: dict[str, Any]) -> str:
    return tokenizer.decode([token for token in example["labels"] if token >= 0], skip_special_tokens=True)


def test_a_decoder_learns_the_right_answer_and_is_asked_about_all(data, decoder_tokenizer):
    task = task_from(CHOICE | {"data": data}).on(Family.decoder)
    found = task.load(decoder_tokenizer, 64, DataConfig())
    answers = {row["a" if row["right"] == "a" else "b"] for row in QUESTIONS}
    assert {learnt(decoder_tokenizer, example) for example in found.train} <= answers
    asked = found.validation["validation"]
    for example, right in zip(asked.examples, asked.references, strict=True):
        assert len(example["counts"]) == 2
        first = decoder_tokenizer.decode(example["options"][: example["counts"][0]])
        assert first == "den sti ."
        assert right in (0, 1)


@pytest.mark.parametrize(("normalised", "size"), [("none", 1), ("characters", len("den sti .")), ("tokens", 3)])
def test_answers_are_divided_by_what_is_asked_for(data, decoder_tokenizer, normalised, size):
    task = task_from(CHOICE | {"data": data, "normalised": normalised}).on(Family.decoder)
    found = task.load(decoder_tokenizer, 64, DataConfig())
    assert {example["sizes"][0] for example in found.validation["validation"].examples} == {size}


LISTED: dict[str, Any] = {
    "form": "multiple_choice", "name": "own", "title": "", "text": "q", "options": "choice", "label": "right",
    "normalised": "characters",
}  # fmt: skip
ROWS = [
    {"q": "nu sti ?", "choice": ["den", "va bu", "sti ."], "right": "va bu"},
    {"q": "nu den ?", "choice": ["va", "kupal nu"], "right": "va"},
    {"q": "nu va ?", "choice": ["nu", "bu", "nu", "per ."], "right": "nu"},
    {"q": "nu bu ?", "choice": ["sti", "per ."], "right": "per ."},
]


def listed(folder: Path, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The rows to be trained on and to be asked."""
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return {"files": {"train": str(folder / "rows.jsonl"), "validation": str(folder / "rows.jsonl")}}


@pytest.mark.parametrize("family", [Family.decoder, Family.encoder_decoder])
def test_answers_may_stand_in_one_column_and_not_always_be_as_many(tmp_path, decoder_tokenizer, family):
    task = task_from(LISTED | {"data": listed(tmp_path, ROWS)}).on(family)
    found = task.load(decoder_tokenizer, 64, DataConfig())
    assert [learnt(decoder_tokenizer, example) for example in found.train] == ["va bu", "va", "nu", "per ."]
    asked = found.validation["validation"]
    assert [len(example["counts"]) for example in asked.examples] == [3, 2, 4, 2]
    assert asked.examples[1]["sizes"] == [2, 8]
    assert asked.references == [1, 0, 0, 1], "the first of two alike is right"


def test_the_likeliest_of_each_rows_own_answers_is_chosen(tmp_path, decoder_tokenizer, monkeypatch):
    """The decoder's log-probabilities are made up: the last answer of a row is the likeliest."""
    task = task_from(LISTED | {"data": listed(tmp_path, ROWS), "normalised": "none"}).on(Family.decoder)
    asked = task.load(decoder_tokenizer, 64, DataConfig()).validation["validation"]
    monkeypatch.setattr(
        "bench.evaluation.continuations.log_probabilities", lambda model, examples, options, run: range(len(options))
    )
    said = task.predict(None, asked.examples, Inference(decoder_tokenizer, Padding(0), 1))
    assert said == [2, 1, 3, 1]
    assert task.score({"validation": asked.references}, {"validation": said}) == {"accuracy": 0.25}


def test_a_list_of_answers_may_be_told_by_numbers(tmp_path, decoder_tokenizer):
    rows = [row | {"right": at % 2} for at, row in enumerate(ROWS)]
    task = task_from(LISTED | {"data": listed(tmp_path, rows), "labels": [0, 1, 2, 3]}).on(Family.decoder)
    assert task.load(decoder_tokenizer, 64, DataConfig()).validation["validation"].references == [0, 1, 0, 1]


@pytest.mark.parametrize(
    ("row", "changes", "message"),
    [
        ({"right": "kupal"}, {}, "right of training row 4 is 'kupal', none of its answers"),
        ({"right": 2}, {"labels": [0, 1, 2]}, "right of training row 4 is 2, and it has 2 answers"),
        ({"right": ""}, {}, "row 4: right is empty"),
        ({"choice": ["va"]}, {}, "row 4: choice has 1 texts; it has to have two or more"),
        ({"choice": "va"}, {}, "row 4: choice is 'va' instead of a list of texts"),
        ({"choice": ["per .", " "]}, {}, "row 4: choice has a text 2 that is empty"),
        ({"choice": ["per .", 3]}, {}, "row 4: choice has a text 2 that is 3 instead of text"),
        ({"choice": None}, {}, "row 4: choice is missing"),
        ({}, {"prompt": "{q} {choice} Answer:"}, "unknown column in task.prompt 'choice'"),
        ({}, {"options": ["choice"]}, "must name two columns; one that holds lists is named without brackets"),
        ({}, {"options": "q"}, "the column q is two things at once"),
        ({}, {"labels": [0, 1, 1]}, "task.labels has '1' twice"),
    ],
)
def test_a_list_of_answers_that_is_none_is_refused_with_its_row(tmp_path, decoder_tokenizer, row, changes, message):
    rows = [one | {"right": 0} for one in ROWS[:3]] if "labels" in changes else ROWS[:3]
    data = listed(tmp_path, [*rows, ROWS[3] | row])
    with pytest.raises(UserError, match=message) as error:
        task_from(LISTED | {"data": data} | changes).on(Family.decoder).load(decoder_tokenizer, 64, DataConfig())
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("changes", [WRITE, CHOICE], ids=["generation", "multiple choice"])
def test_a_long_answer_takes_room_from_its_own_question_alone(tmp_path, decoder_tokenizer, changes):
    """Of 32 tokens one answer takes nearly all; the questions of the other rows are as long as they are."""
    rows = [row | {"q": f"nu rulbo {'sti ' * 8}?"} for row in QUESTIONS]
    rows[3] |= {"q": "nu ?", "a": "den " * 24, "b": "va bu .", "c": "den " * 24, "right": "a"}
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    data = {"files": {"train": str(tmp_path / "rows.jsonl"), "validation": str(tmp_path / "rows.jsonl")}}
    found = task_from(changes | {"data": data}).on(Family.decoder).load(decoder_tokenizer, 32, DataConfig())
    assert not any(found.notes["texts_shortened"].values())
    assert sum("sti sti sti ?" in decoder_tokenizer.decode(example["input_ids"]) for example in found.train) == 7


@pytest.mark.parametrize("family", [Family.decoder, Family.encoder_decoder])
def test_the_target_and_the_end_alone_are_learnt(data, decoder_tokenizer, family):
    task = task_from(WRITE | {"data": data}).on(family)
    found = task.load(decoder_tokenizer, 64, DataConfig())
    assert {learnt(decoder_tokenizer, example) for example in found.train} <= {row["c"] for row in QUESTIONS}
    assert all(example["labels"][-1] == decoder_tokenizer.eos_token_id for example in found.train)
    assert task.longest_input(64) == (72 if family == Family.decoder else 64)
    assert set(found.validation["validation"].references) <= {row["c"] for row in QUESTIONS}


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "options and labels": (CHOICE | {"labels": ["a"]}, "task.options names 2 columns, task.labels 1 values"),
    "a column twice": (CHOICE | {"options": ["a", "q"]}, "the column q is two things at once"),
    "a way of dividing": (CHOICE | {"normalised": "bytes"}, "unknown way in task.normalised 'bytes'"),
    "an encoder": (CHOICE, "needs a model of the family"),
    "the text as target": (WRITE | {"target": "q"}, "task.target=q is one of the texts"),
    "an empty stop": (WRITE | {"stop": ""}, "task.stop is empty"),
    "a search": (WRITE | {"beams": 0}, "task.beams=0"),
    "a metric of classes": (WRITE | {"metrics": ["accuracy"]}, "unknown metric 'accuracy'"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_is_refused_in_a_line(data, name):
    config, message = WRONG[name]
    with pytest.raises(UserError, match=message) as error:
        task_from(config | {"data": data}).on(Family.encoder if name == "an encoder" else Family.decoder)
    assert "\n" not in str(error.value)


def test_a_target_that_does_not_fit_is_refused_with_its_row(data, decoder_tokenizer):
    with pytest.raises(UserError, match=r"c of training row 1 takes \d tokens, and \d fit; raise training.max_length"):
        task_from(WRITE | {"data": data}).on(Family.decoder).load(decoder_tokenizer, 6, DataConfig())


def test_letters_are_a_classification_with_a_prompt(data, decoder_tokenizer):
    config = {
        "form": "classification", "name": "own", "title": "", "data": data, "text": ["q", "a", "b"], "label": "right",
        "labels": {"a": "A", "b": "B"}, "answer": "words", "prompt": "{q}\nA. {a}\nB. {b}\nAnswer:",
    }  # fmt: skip
    found = task_from(config).on(Family.decoder).load(decoder_tokenizer, 64, DataConfig())
    assert {learnt(decoder_tokenizer, example) for example in found.train} == {"A", "B"}
    with pytest.raises(UserError, match="an encoder joins two texts at most"):
        task_from(config | {"answer": "auto", "prompt": None}).on(Family.encoder).load(
            decoder_tokenizer, 64, DataConfig()
        )


def test_a_decoder_translates_wmt16_behind_the_same_prefix(decoder_tokenizer):
    with Configurations() as configurations:
        config = configurations.cell(["task=miniature/wmt16", "model=miniature/llama"]).config["task"]
    task = task_from(config).on(Family.decoder)
    found = task.load(decoder_tokenizer, 96, DataConfig(limit_train=20, limit_evaluation=5))
    assert len(found.train) == 20
    assert [metric.name for metric in task.metrics()] == ["bleu", "chrf"]
    assert set(found.evaluation) == {"validation", "test"}
    assert all(isinstance(text, str) and text for text in found.test["test"].references)
    assert found.notes["sacrebleu"]["bleu"].startswith("nrefs:1")


@pytest.mark.parametrize("family", [Family.decoder, Family.encoder_decoder])
def test_what_is_written_counts_only_where_it_is_a_labels_word(data, decoder_tokenizer, monkeypatch, family):
    config = {
        "form": "classification", "name": "own", "title": "", "data": data, "text": "q", "label": "right",
        "labels": ["a", "b"], "words": {"a": "sti", "b": "nu"}, "answer": "generate", "prompt": "{q} Answer:",
    }  # fmt: skip
    task, asked = task_from(config).on(family), []

    def written(model, examples, run, search):
        asked.append(search.max_new_tokens)
        return ["nu", "sti", "nu nu", ""]

    monkeypatch.setattr("bench.tasks.by_words.write", written)
    assert task.predict(None, [], Inference(decoder_tokenizer, Padding(0), 1)) == [1, 0, -1, -1]
    assert asked == [2], "a word and the end"
    assert task.score({"validation": [1, 1, 1, 0]}, {"validation": [1, 0, -1, -1]})["accuracy"] == 0.25
