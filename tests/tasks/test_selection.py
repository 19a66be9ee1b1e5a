"""data.score_on=selection, task by task: what is scored and trained on, and that the reported split is not read."""

from collections import Counter
from typing import Any

import pytest

from bench.configuration.schema import DataConfig, Family
from bench.errors import UserError
from bench.identity.data import reading
from bench.tasks.base import TaskData
from bench.tasks.build import task_from
from bench.tasks.check import check_selection
from bench.tasks.glue import Glue
from bench.tasks.leaks import leak_warnings, questions
from bench.tasks.mmlu import Mmlu
from bench.tasks.wmt16 import Wmt16
from tests.glue import GLUE

WORDS = ["sti", "kupal", "nu", "den", "va", "bu", "per", "vafe", "rulbo", "rinbra"]
TEXTS = [f"{first} {second} ." for first in WORDS for second in WORDS]
ROWS = [{"text": text, "label": "ab"[at % 2], "say": f"nu {text}", "number": at / 10} for at, text in enumerate(TEXTS)]
POISON = "this is no row of anything\n"
FORMS: dict[str, dict[str, Any]] = {
    "classification": {"label": "label", "labels": ["a", "b"], "words": {"a": "A", "b": "B"}},
    "regression": {"label": "number"},
    "generation": {"target": "say", "max_new_tokens": 4},
    "multiple_choice": {"options": ["say", "other"], "label": "label", "labels": ["a", "b"]},
}
CASES = [
    (form, family)
    for form in FORMS
    for family in Family
    if family != Family.encoder or form in ("classification", "regression")
]


def selecting(root: Any = None, **settings: Any) -> DataConfig:
    return DataConfig(root=None if root is None else str(root), any_size=True, score_on="selection", **settings)


def declared(form: str, data: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {"form": form, "name": "own", "title": "", "text": "text", "data": data} | FORMS[form] | changes


def written(folder, **splits):
    """A folder of a declared task, with some of its splits; a text is written as it is."""
    for name, rows in splits.items():
        if isinstance(rows, str):
            (folder / f"{name}.csv").write_text(rows)
            continue
        lines = [",".join(rows[0]), *(",".join(map(str, row.values())) for row in rows)]
        (folder / f"{name}.csv").write_text("\n".join(lines) + "\n")
    return {"files": str(folder)}


def apart(data: TaskData, split: str = "selection") -> tuple[set[bytes], set[bytes]]:
    """The questions trained on, and those that are scored; no text is in both."""
    train, scored = set(questions(data.train)), set(questions(data.validation[split].examples))
    assert train
    assert scored
    assert not train & scored
    return train, scored


@pytest.mark.parametrize(("form", "family"), CASES)
def test_a_share_of_the_training_rows_is_scored_where_validation_is_what_is_reported(
    form, family, tmp_path, tokenizer, decoder_tokenizer
):
    rows = [row | {"other": "den"} for row in ROWS]
    task = task_from(declared(form, written(tmp_path, train=rows, validation=POISON))).on(family)
    tokens = tokenizer if family == Family.encoder else decoder_tokenizer
    with reading() as read:
        data = task.load(tokens, 32, selecting())
    assert list(data.validation) == ["selection"]
    assert data.test is None
    assert (len(data.train), len(data.validation["selection"].examples)) == (90, 10)
    assert data.scored_on == {"split": "train", "share": 0.1, "seed": 0}
    assert {where.rpartition("/")[2] for where in read} == {"train"}
    if form == "classification":
        assert Counter(data.validation["selection"].references) == {0: 5, 1: 5}


def test_what_is_reported_need_not_even_be_there(tmp_path, tokenizer):
    task = task_from(declared("classification", written(tmp_path, train=ROWS))).on(Family.encoder)
    apart(task.load(tokenizer, 32, selecting()))
    with pytest.raises(UserError, match=r"task\.data has nothing to validate on"):
        task.load(tokenizer, 32, DataConfig())


@pytest.mark.parametrize("kind", ["test", "tested_on"])
def test_validation_is_scored_where_another_split_is_reported(kind, tmp_path, tokenizer):
    written(tmp_path, train=ROWS[:80], validation=ROWS[80:], test=POISON)
    files = {"train": str(tmp_path / "train.csv"), "validation": str(tmp_path / "validation.csv")}
    further = {"test": str(tmp_path / "test.csv")} if kind == "test" else {}
    sets = {"other": {"files": str(tmp_path / "test.csv")}} if kind == "tested_on" else {}
    task = task_from(declared("classification", {"files": files | further}, tested_on=sets)).on(Family.encoder)
    with reading() as read:
        data = task.load(tokenizer, 32, selecting())
    assert list(data.validation) == ["validation"]
    assert (len(data.train), data.test) == (80, None)
    assert data.scored_on == {"split": "validation"}
    assert {where.rpartition("/")[2] for where in read} == {"train", "validation"}


def test_a_share_that_is_held_out_is_what_is_reported_and_another_is_scored(tmp_path, tokenizer):
    source = written(tmp_path, train=ROWS) | {"holdout": 0.2}
    task = task_from(declared("classification", source)).on(Family.encoder)
    held_out = set(questions(task.load(tokenizer, 32, DataConfig()).validation["validation"].examples))
    train, scored = apart(task.load(tokenizer, 32, selecting(selection_share=0.25)))
    assert (len(train), len(scored)) == (60, 20)
    assert not held_out & (train | scored)


def test_sets_that_are_reported_without_a_split_for_validation_leave_a_share_of_train(tmp_path, tokenizer):
    written(tmp_path, train=ROWS, test=POISON)
    sets = {"other": {"files": str(tmp_path / "test.csv")}}
    source = {"files": {"train": str(tmp_path / "train.csv")}}
    task = task_from(declared("classification", source, tested_on=sets)).on(Family.encoder)
    apart(task.load(tokenizer, 32, selecting()))


@pytest.mark.parametrize("form", [None, "instruction"])
def test_rows_from_elsewhere_are_learnt_without_those_of_the_share(form, tmp_path, decoder_tokenizer):
    source = written(tmp_path, train=ROWS, validation=POISON)
    lesson: dict[str, Any] = {"data": {"files": str(tmp_path / "train.csv")}}
    if form is not None:
        lesson |= {"form": form, "text": "text", "response": "say", "prompt": "nu {text} A:"}
    task = task_from(declared("generation", source, trained_on=lesson, prompt="nu {text} A:")).on(Family.decoder)
    data = task.load(decoder_tokenizer, 32, selecting())
    train, scored = apart(data)
    assert (len(train), len(scored)) == (90, 10)
    assert data.scored_on == {"split": "train", "share": 0.1, "seed": 0}


def test_rows_from_elsewhere_alone_leave_nothing_to_cut(tmp_path, decoder_tokenizer):
    written(tmp_path, train=ROWS, validation=ROWS)
    source = {"files": {"validation": str(tmp_path / "validation.csv")}}
    lesson = {"data": {"files": str(tmp_path / "train.csv")}}
    task = task_from(declared("generation", source, trained_on=lesson)).on(Family.decoder)
    with pytest.raises(UserError) as error:
        task.load(decoder_tokenizer, 32, selecting())
    assert str(error.value) == (
        "data.score_on=selection: task 'own' is trained on other rows than its own, and no share of its own can be cut "
        "off; name a split of them for train in task.data, or one for validation beside the one for test"
    )


def test_too_few_rows_are_one_line(tmp_path, tokenizer):
    task = task_from(declared("classification", written(tmp_path, train=ROWS[:12]))).on(Family.encoder)
    with pytest.raises(UserError, match="train has 12 rows, too few to cut a share off; it takes 20"):
        task.load(tokenizer, 32, selecting())


@pytest.mark.parametrize("subset", ["cola", "stsb", "mnli"])
@pytest.mark.parametrize("family", Family)
def test_glue_scores_a_share_of_train_and_reads_nothing_else(subset, family, mirror, tokenizer, decoder_tokenizer):
    *texts, label = GLUE[subset].columns
    values = {"cola": 2, "stsb": 5, "mnli": 3}[subset]
    rows = [dict.fromkeys(texts, text) | {label: at % values} for at, text in enumerate(TEXTS)]
    root = mirror(f"nyu-mll/glue/{subset}", "train", rows, "jsonl").root
    words = dict(zip(getattr(GLUE[subset].columns[label], "called", ()), "ABC", strict=False))
    more = {"words": words} if words else {}
    task = Glue(name=f"glue/{subset}", title=subset, subset=subset, declaration=more).on(family)
    with reading() as read:
        data = task.load(tokenizer if family == Family.encoder else decoder_tokenizer, 64, selecting(root))
    train, scored = apart(data)
    assert (len(train), len(scored)) == {"cola": (90, 10), "stsb": (90, 10), "mnli": (91, 9)}[subset]
    assert list(read) == [f"nyu-mll/glue/{subset}/train"]
    assert not any("validation" in name for name in data.revisions)


@pytest.mark.parametrize("family", [Family.encoder_decoder, Family.decoder])
def test_wmt16_scores_newsdev_and_does_not_look_for_newstest(family, mirror, decoder_tokenizer):
    rows = [{"translation": {"en": text, "ro": text}} for text in TEXTS]
    for split in ("train", "validation"):
        root = mirror("wmt/wmt16/ro-en", split, rows if split == "train" else rows[:7], "jsonl").root
    task = Wmt16(
        name="wmt16", title="", subset="ro-en", source="en", target="ro", prefix="translate English to Romanian: ",
        train_split="train", beams=1, max_new_tokens=4,
    ).on(family)  # fmt: skip
    data = task.load(decoder_tokenizer, 64, selecting(root))
    assert (len(data.train), len(data.validation["validation"].examples), data.test) == (100, 7, None)
    assert data.scored_on == {"split": "validation"}
    assert not any("test" in name for name in data.revisions)


def test_mmlu_scores_validation_and_does_not_look_for_test(mirror, decoder_tokenizer):
    asked = {"question": "nu ?", "subject": "bu", "choices": ["a", "b", "c", "d"], "answer": 1}
    for split in ("dev", "validation"):
        mirror("cais/mmlu/all", split, [asked] * 3, "jsonl")
    root = mirror("tatsu-lab/alpaca", "train", [{"instruction": "nu", "input": "", "output": "va ."}], "jsonl").root
    task = Mmlu(name="mmlu", title="", shots=1, prompt_length=64, subjects=None, train_split="train")
    data = task.on(Family.decoder).load(decoder_tokenizer, 64, selecting(root))
    assert (len(data.validation["validation"].examples), data.test) == (3, None)
    assert data.scored_on == {"split": "validation"}


def test_the_cut_is_a_part_of_what_kept_tokens_are_named_by(tmp_path, tokenizer):
    task = task_from(declared("classification", written(tmp_path, train=ROWS))).on(Family.encoder)
    found = [
        frozenset(questions(task.load(tokenizer, 32, selecting(**settings)).validation["selection"].examples))
        for settings in ({}, {"selection_seed": 1}, {"selection_share": 0.2}, {})
    ]
    assert len(set(found[:3])) == 3
    assert found[3] == found[0]


def test_texts_that_are_there_twice_are_told_and_on_one_side(tmp_path, tokenizer):
    rows = [*ROWS, *({**row, "label": "a"} for row in ROWS[:30])]
    task = task_from(declared("classification", written(tmp_path, train=rows))).on(Family.encoder)
    data = task.load(tokenizer, 32, selecting())
    apart(data)
    twice = len(data.train) - len(set(questions(data.train)))
    assert leak_warnings(data) == [
        f"{twice} of the {len(data.train)} training rows repeat the text of another; rows with the same text are on "
        "one side of the cut"
    ]


@pytest.mark.parametrize("family", [Family.encoder, Family.decoder])
def test_scored_rows_with_the_text_of_a_training_row_are_counted(family, tmp_path, tokenizer, decoder_tokenizer):
    source = written(tmp_path, train=ROWS[:80], validation=ROWS[75:], test=POISON)
    answer = "head" if family == Family.encoder else "words"
    config = declared("classification", source, answer=answer, prompt={"decoder": "{text} A:"})
    tokens = tokenizer if family == Family.encoder else decoder_tokenizer
    data = task_from(config).on(family).load(tokens, 32, selecting())
    assert leak_warnings(data) == ["5 of the 25 rows of validation have the text of a training row"]


def test_a_class_that_knows_nothing_of_it_is_refused(tmp_path, tokenizer):
    task = task_from(declared("classification", written(tmp_path, train=ROWS, validation=ROWS))).on(Family.encoder)
    data = task.load(tokenizer, 32, DataConfig())
    with pytest.raises(UserError, match=r"data\.score_on=selection: task 'own' does not keep to it; `load` of Classif"):
        check_selection(task, data)
