"""What a task hands in is looked at before anything is trained on it."""

from dataclasses import replace
from typing import Any

import pytest

from bench.data.example import Example
from bench.errors import UserError
from bench.models.head import Head
from bench.tasks.base import Split, TaskData
from bench.tasks.check import check_task, score_names
from bench.tasks.glue import Glue
from bench.tasks.mmlu import Mmlu
from bench.tasks.wmt16 import Wmt16


def examples(*labels: Any) -> list[Example]:
    return [{"input_ids": [1, 2], "labels": label} for label in labels]


def data(*labels: Any, references: list[Any] | None = None) -> TaskData:
    split = Split(examples(*labels), [*labels] if references is None else references)
    return TaskData(examples(0, 1), {"validation": split})


class Own(Glue):
    def score(self, references: dict[str, list[Any]], predictions: dict[str, list[Any]]) -> dict[str, float]:
        return {"rmse": 0.0, "quality": 1.0}


class Wanting(Glue):
    @property
    def main_metric(self) -> str:
        return "f2"


class WantingOfOwn(Own):
    @property
    def main_metric(self) -> str:
        return "rsme"


class Particular(Own):
    main_metric = "rmse"

    def score(self, references: dict[str, list[Any]], predictions: dict[str, list[Any]]) -> dict[str, float]:
        raise KeyError("predictions have another form")


def task(kind: type[Glue] = Glue, subset: str = "rte") -> Glue:
    return kind(name="own", title="", subset=subset)


def test_what_is_in_order_passes() -> None:
    check_task(task(), data(0, 1))
    check_task(task(subset="stsb"), replace(data(2.5, 0.0), train=examples(1.0, 4.5)))


@pytest.mark.parametrize(
    ("kind", "message"), [(Wanting, "unknown main metric 'f2'"), (WantingOfOwn, "'rsme'; did you mean rmse")]
)
def test_a_main_metric_that_score_does_not_give_is_refused(kind: type[Glue], message: str) -> None:
    with pytest.raises(UserError, match=message):
        check_task(task(kind), data(0, 1))


def test_a_score_that_cannot_be_tried_is_left_alone() -> None:
    check_task(task(Particular), data(0, 1))


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (TaskData([], data(0).validation), "no examples to train on"),
        (TaskData(examples(0), {}), "no split to score"),
        (data(), "'validation' has no examples"),
        (data(0, 1, references=[0]), "2 examples and 1 references"),
        (data(0, 1, references=[0, None]), "no label in row 2"),
        (data(0, -1), r"label -1 in row 2.*not public"),
        (data(0, 2), r"label 2 in row 2, not one of the head's 2 labels"),
        (data(0, 0.5), r"label 0\.5 in row 2"),
        (replace(data(0), train=examples(0, 3)), "the training split has the label 3"),
    ],
)
def test_data_that_cannot_be_learnt_or_scored_are_refused(found: TaskData, message: str) -> None:
    with pytest.raises(UserError, match=message):
        check_task(task(), found)


@pytest.mark.parametrize("head", [(0, False), (1, False), (2, True), (-1, False)])
def test_a_head_that_tells_nothing_apart_is_refused(head: tuple[int, bool]) -> None:
    with pytest.raises(UserError, match="label"):
        Head(*head)


@pytest.mark.parametrize("subset", ["cola", "sst2", "mrpc", "stsb", "qqp", "qnli", "rte", "mnli"])
def test_glues_tasks_declare_what_they_score(subset: str) -> None:
    own = task(subset=subset)
    labels = {split: [0, 1, 1, 0] for _, split in own.sources() if split != "train"}
    assert [metric.name for metric in own.metrics()] == [*own.score(labels, labels)]
    assert own.main_metric == own.metrics()[0].name


def test_the_other_tasks_declare_theirs() -> None:
    wmt16 = Wmt16(name="", title="", subset="ro-en", source="en", target="ro", prefix="", train_split="train", beams=1,
                  max_new_tokens=1)  # fmt: skip
    texts = {"validation": ["Bună ziua."]}
    assert [metric.name for metric in wmt16.metrics()] == [*wmt16.score(texts, texts)]
    mmlu = Mmlu(name="", title="", shots=1, prompt_length=100, subjects=None, train_split="train")
    asked = {"validation": [("law", 1), ("art", 0)]}
    found = mmlu.score(asked, mmlu.right_answers(asked))
    assert found == dict.fromkeys((metric.name for metric in mmlu.metrics()), 1.0)


def test_a_score_of_ones_own_is_tried_on_right_answers() -> None:
    assert score_names(task(Own), data(0, 1)) == ["rmse", "quality"]
    assert task(Own).metric("rmse").better == "lower"
    assert task(Own).metric("quality").assumed
