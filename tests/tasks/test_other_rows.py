"""Other rows than a task's own to learn from, several sets to be scored on, several right texts, groups of rows."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from bench.configuration.schema import DataConfig, Family
from bench.errors import UserError
from bench.identity.data import reading
from bench.tasks.build import task_from
from tests.tasks.test_writing import CHOICE, QUESTIONS, WRITE, learnt

WRITING = [Family.decoder, Family.encoder_decoder]
INSTRUCTION: dict[str, Any] = {"form": "instruction", "text": "ask", "response": "say", "prompt": "nu {ask} A:"}


@pytest.fixture
def lines(tmp_path: Path):
    def write(name: str, rows: list[dict[str, Any]]) -> str:
        (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
        return str(tmp_path / name)

    return write


@pytest.fixture
def taught(lines):
    """Instructions to learn from: one short, one whose prompt alone fills 16 tokens, one whose response does."""
    long = " ".join(["sti kupal nu ."] * 10)
    rows = [{"ask": "den", "say": "va ."}, {"ask": long, "say": "va ."}, {"ask": "den", "say": long}]
    return INSTRUCTION | {"data": {"files": lines("taught.jsonl", rows)}}


@pytest.mark.parametrize("config", [CHOICE, WRITE], ids=["choice", "write"])
@pytest.mark.parametrize("family", WRITING)
def test_instructions_are_learnt_in_place_of_the_tasks_rows(lines, taught, decoder_tokenizer, config, family):
    data = {"files": {"validation": lines("rows.jsonl", QUESTIONS)}}
    task = task_from(config | {"data": data, "trained_on": taught}).on(family)
    with reading() as read:
        found = task.load(decoder_tokenizer, 16, DataConfig())
    assert len(found.train) == 2
    assert found.notes["instructions_too_long"] == 1
    assert found.notes["responses_cut"] == 1
    assert learnt(decoder_tokenizer, found.train[0]) == "va ."
    assert decoder_tokenizer.eos_token_id == found.train[0]["labels"][-1]
    prompt = found.train[0]["input_ids"]
    assert decoder_tokenizer.decode(prompt, skip_special_tokens=True).startswith("nu den")
    assert (len(prompt) == len(found.train[0]["labels"])) == (family == Family.decoder)
    assert len(found.train[1]["labels"]) == 16
    assert len(found.validation["validation"].references) == len(QUESTIONS)
    assert {where.rpartition("/")[2] for where in read} == {"train", "validation"}, "a change of either makes it stale"


def test_the_prompt_is_learnt_too_where_that_is_said(lines, taught, decoder_tokenizer):
    data = {"files": {"validation": lines("rows.jsonl", QUESTIONS)}}
    task = task_from(WRITE | {"data": data, "trained_on": taught | {"loss": "all"}}).on(Family.decoder)
    example = task.load(decoder_tokenizer, 16, DataConfig()).train[0]
    assert example["labels"] == example["input_ids"]


REVIEW: dict[str, Any] = {
    "form": "classification", "name": "own", "title": "", "text": "t", "label": "l", "labels": ["no", "yes"],
    "metrics": ["accuracy"],
}  # fmt: skip


def reviews(language: str, labels: str) -> list[dict[str, Any]]:
    words = ["sti", "kupal", "nu", "den"]
    return [
        {"t": f"{word} {language} .", "l": label, "of": language}
        for word, label in zip(words, labels.split(), strict=True)
    ]


def test_one_language_is_learnt_and_each_is_scored(lines, tokenizer):
    rows = reviews("va", "yes no yes no") + reviews("bu", "yes yes yes yes")
    config = REVIEW | {
        "data": {"files": lines("en.jsonl", reviews("en", "yes no no yes")), "holdout": 0.5},
        "tested_on": {
            name: {"files": lines("rows.jsonl", rows), "where": {"of": name}} for name in ("va", "bu")
        },
    }  # fmt: skip
    task = task_from(config).on(Family.encoder)
    found = task.load(tokenizer, 32, DataConfig())
    assert (len(found.train), list(found.validation), list(found.test)) == (2, ["validation"], ["va", "bu"])
    references = {name: split.references for name, split in found.test.items()}
    assert references == {"va": [1, 0, 1, 0], "bu": [1, 1, 1, 1]}
    scores = task.score(references, {"va": [1, 1, 1, 1], "bu": [1, 1, 1, 1]})
    assert scores == {"accuracy": 0.75, "accuracy_va": 0.5, "accuracy_bu": 1.0}
    assert task.metric("accuracy_va").high == 1
    assert found.revisions.keys() == {"train", "validation", "va", "bu"}


def test_sets_are_scored_along_training_where_nothing_else_is(lines, tokenizer):
    config = REVIEW | {
        "data": {"files": lines("en.jsonl", reviews("en", "yes no no yes"))},
        "tested_on": {"va": {"files": lines("va.jsonl", reviews("va", "yes no yes no"))}},
    }
    found = task_from(config).on(Family.encoder).load(tokenizer, 32, DataConfig())
    assert (list(found.validation), found.test) == (["va"], None)


def test_rows_of_the_same_columns_from_elsewhere_are_learnt(lines, tokenizer):
    config = REVIEW | {
        "data": {"files": {"validation": lines("va.jsonl", reviews("va", "yes no yes no"))}},
        "trained_on": {"data": {"files": lines("en.jsonl", reviews("en", "yes no no yes"))}},
    }
    found = task_from(config).on(Family.encoder).load(tokenizer, 32, DataConfig())
    assert [example["labels"] for example in found.train] == [1, 0, 0, 1]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"trained_on": {"form": "instructions"}}, "did you mean instruction?"),
        ({"trained_on": {"data": {"files": "x"}, "prompt": "p"}}, "task.trained_on.prompt: without form: instruction"),
        ({"trained_on": {"form": "instruction", "text": "t"}}, "needs the setting 'data'"),
        ({"trained_on": INSTRUCTION | {"data": {"files": "x"}, "prompt": "{nobody}"}}, "nobody"),
        ({"trained_on": INSTRUCTION | {"data": {"files": "x"}, "loss": "most"}}, "task.trained_on.loss"),
        ({"trained_on": INSTRUCTION | {"data": {"files": "x", "holdout": 0.1}}}, "nothing is held out"),
        ({"tested_on": {"a": {"file": "x"}}}, "task.tested_on.a"),
        ({"tested_on": {"a": {"splits": {"test": "x"}}}}, "a set is one split"),
        ({"tested_on": {"a": "x"}}, "task.tested_on"),
        ({"tested_on": {"a": {"files": "x", "may_be_empty": ["t"]}}}, "is said once, in task.data.may_be_empty"),
        ({"tested_on": {"train": {"files": "x"}}}, "train is what a split of task.data is called"),
        ({"tested_on": {"../a": {"files": "x"}}}, "set in task.tested_on"),
        ({"tested_on": {"macro": {"files": "x"}}, "metrics": ["f1", "f1_macro"]}, "would be called f1_macro"),
        ({"group": ["l"]}, "task.group names the label"),
        ({"metrics": ["exact_match_by_group"]}, "needs task.group"),
        ({"data": {"hub": "a/b", "splits": {"train": ["x", "y"]}}}, "one split is trained on"),
    ],
    ids=lambda value: str(value)[:40],
)  # fmt: skip
def test_a_wrong_declaration_is_refused_in_a_line(changes, message):
    with pytest.raises(UserError) as error:
        task_from(REVIEW | {"data": {"files": "own.csv", "holdout": 0.5}} | changes)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_two_splits_to_be_tested_on_are_refused(lines, tokenizer):
    file = lines("va.jsonl", reviews("va", "yes no yes no"))
    data = {"files": {"train": file, "validation": file, "test": file}}
    task = task_from(REVIEW | {"data": data, "tested_on": {"a": {"files": file}}}).on(Family.encoder)
    with pytest.raises(UserError, match="names a split test, and task\\.tested_on others"):
        task.load(tokenizer, 32, DataConfig())


@pytest.mark.parametrize("family", WRITING)
def test_the_first_of_several_right_texts_is_learnt_and_the_best_is_compared(lines, decoder_tokenizer, family):
    rows = [row | {"c": [row["c"], "nu den ."]} for row in QUESTIONS]
    data = {"files": lines("rows.jsonl", rows), "holdout": 0.25}
    task = task_from(WRITE | {"data": data, "metrics": ["squad_f1", "exact_match", "bleu"]}).on(family)
    found = task.load(decoder_tokenizer, 64, DataConfig())
    assert learnt(decoder_tokenizer, found.train[0]) in [row["c"] for row in QUESTIONS]
    references = found.validation["validation"].references
    assert [right[1] for right in references] == ["nu den ."] * 2
    said = {"validation": ["nu den ."] * 2}
    scores = task.score({"validation": references}, said)
    assert (scores["squad_f1"], scores["exact_match"]) == (1, 1)
    right = task.right_answers({"validation": references})
    assert task.score({"validation": references}, right)["exact_match"] == 1


def test_a_list_of_answers_may_lie_in_a_struct(tmp_path, decoder_tokenizer):
    """As SQuAD's do."""
    import pyarrow as pa
    import pyarrow.parquet

    rows = [{"q": f"nu {word} ?", "answers": {"text": ["den", "den sti"], "answer_start": [0, 0]}} for word in "abcd"]
    pa.parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "rows.parquet")
    data = {"files": str(tmp_path / "rows.parquet"), "fields": {"answers": ["text"]}, "rename": {"text": "c"}}
    task = task_from(WRITE | {"data": data | {"holdout": 0.5}}).on(Family.decoder)
    found = task.load(decoder_tokenizer, 64, DataConfig())
    assert found.validation["validation"].references == [["den", "den sti"]] * 2


def test_a_list_of_texts_is_joined_for_the_prompt(lines, decoder_tokenizer):
    rows = [row | {"a": ["nu", *row["q"].split()[2:3]]} for row in QUESTIONS]
    data = {"files": lines("rows.jsonl", rows), "holdout": 0.25, "joined": {"a": " sti "}}
    config = WRITE | {"data": data, "text": "a", "prompt": "va {a} bu"}
    found = task_from(config).on(Family.encoder_decoder).load(decoder_tokenizer, 64, DataConfig())
    said = {decoder_tokenizer.decode(example["input_ids"], skip_special_tokens=True) for example in found.train}
    assert said < {f"va nu sti {row['a'][1]} bu" for row in rows}
    with pytest.raises(UserError, match=r"unknown text in task\.data\.joined 'c'"):
        task_from(config | {"data": data | {"joined": {"c": " "}}}).on(Family.decoder).load(
            decoder_tokenizer, 64, DataConfig()
        )


def test_an_empty_list_of_right_texts_is_refused_with_its_row(lines, decoder_tokenizer):
    rows = [*QUESTIONS[:2], QUESTIONS[2] | {"c": []}, *QUESTIONS[3:]]
    data = {"files": lines("rows.jsonl", rows), "holdout": 0.25}
    with pytest.raises(UserError, match=r"row 3: c is an empty list"):
        task_from(WRITE | {"data": data}).on(Family.decoder).load(decoder_tokenizer, 64, DataConfig())


@pytest.mark.parametrize("family", Family)
def test_a_group_is_right_where_all_its_rows_are(lines, tokenizer, decoder_tokenizer, family):
    """MultiRC's exact match: a question counts where each of its answers is told right."""
    rows = [
        {"t": f"nu {answer} .", "ask": ask, "l": label}
        for ask, labels in (("den", "yes no"), ("va", "no no yes"), ("den", "yes"))
        for answer, label in zip("abc", labels.split(), strict=False)
    ]
    file = lines("rows.jsonl", rows)
    config = REVIEW | {
        "data": {"files": {"train": file, "validation": file}}, "group": ["ask"],
        "words": {"no": "den", "yes": "sti"}, "metrics": ["exact_match_by_group", "accuracy"],
    }  # fmt: skip
    task = task_from(config).on(family)
    tokens = tokenizer if family == Family.encoder else decoder_tokenizer
    split = task.load(tokens, 32, DataConfig()).validation["validation"]
    references = {"validation": split.references}
    assert task.right_answers(references) == {"validation": [1, 0, 0, 0, 1, 1]}
    assert task.score(references, {"validation": [1, 0, 0, 0, 0, 1]}) == {
        "exact_match_by_group": 0.5, "accuracy": pytest.approx(5 / 6),
    }  # fmt: skip


def test_json_files_are_lists_of_rows(tmp_path, tokenizer):
    file = tmp_path / "rows.json"
    file.write_text(json.dumps(reviews("va", "yes no yes no")))
    config = REVIEW | {"data": {"files": {"train": str(file), "validation": str(file)}}}
    assert len(task_from(config).on(Family.encoder).load(tokenizer, 32, DataConfig()).train) == 4
    for content, message in (('{"t": 1}', "not a list of objects"), ('[{"t": "a"}, 3]', "row 2: not an object")):
        file.write_text(content)
        with pytest.raises(UserError, match=message):
            task_from(config).on(Family.encoder).load(tokenizer, 32, DataConfig())


@pytest.mark.parametrize("family", WRITING)
def test_each_row_has_one_of_several_prompts_and_always_the_same(lines, decoder_tokenizer, family):
    prompts = ["nu {q} va :", "den {q} va :"]
    data = {"files": lines("rows.jsonl", QUESTIONS), "holdout": 0.25}
    task = task_from(WRITE | {"data": data, "prompt": prompts}).on(family)
    found = task.load(decoder_tokenizer, 64, DataConfig())
    first = [decoder_tokenizer.decode(example["input_ids"][:2], skip_special_tokens=True) for example in found.train]
    assert {text.split()[0] for text in first} == {"nu", "den"}
    assert found.notes["prompts"] == "each row has one of 2"
    asked = found.validation["validation"]
    words = [decoder_tokenizer.decode(example["input_ids"]) for example in asked.examples]
    assert asked.parts == ["prompt_1" if "nu" in text.split()[:2] else "prompt_2" for text in words]
    only = (
        task_from(WRITE | {"data": data, "prompt": prompts[::-1]}).on(family).load(decoder_tokenizer, 64, DataConfig())
    )
    assert [example["input_ids"] for example in only.train] != [example["input_ids"] for example in found.train]


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        ([], "has no wording"),
        (["{q} va:", "{q} den:"], "they have to end in the same words"),
        (["{q} va:", "{p} va:"], "unknown column in task.prompt 'p'"),
    ],
)
def test_wordings_that_do_not_go_together_are_refused(lines, prompt, message):
    data = {"files": lines("rows.jsonl", QUESTIONS), "holdout": 0.25}
    with pytest.raises(UserError, match=re.escape(message)):
        task_from(WRITE | {"data": data, "prompt": prompt})
