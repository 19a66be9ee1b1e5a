"""The evaluation that counts follows the metric's direction; the record says what each metric is."""

import math
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from torch import nn

from bench.evaluation.inference import Inference
from bench.records.metric import LOWER, Metric
from bench.records.schema import Metrics
from bench.running.scores import Best, Scores, evaluate_splits, note_metrics
from bench.tasks.base import Split
from bench.tasks.glue import Glue


class Whole:
    """A method that keeps all of the model."""

    def checkpoint_state(self, model: nn.Module) -> dict[str, torch.Tensor]:
        return dict(model.named_parameters())

    def load_checkpoint_state(self, model: nn.Module, state: dict[str, torch.Tensor]) -> None:
        model.load_state_dict(state)


def kept(values: list[float], metric: Metric, keep: bool = True) -> tuple[float, float]:
    """The score that counts at the end, and the parameter that is put back."""
    model, best = nn.Linear(1, 1, bias=False), Best(Whole(), keep, metric)  # type: ignore[arg-type]
    for value in values:
        with torch.no_grad():
            model.weight.fill_(value)
        state = best.state()
        best = Best(Whole(), keep, metric)  # type: ignore[arg-type]  # as after a resume
        best.load_state(*state)
        best.offer(model, Scores({"mine": value}, {}, {}, {}), value)
    best.restore(model)
    assert best.scores is not None
    return best.scores.values["mine"], model.weight.item()


@pytest.mark.parametrize(
    ("metric", "wanted"), [(Metric("mine"), 0.75), (Metric("mine", LOWER), 0.25)], ids=["higher", "lower"]
)
def test_the_best_is_kept_whichever_way_is_better(metric: Metric, wanted: float) -> None:
    assert kept([0.5, 0.75, 0.25, 0.5], metric) == (wanted, wanted)
    assert kept([math.nan, 0.75, 0.25, math.nan], metric) == (wanted, wanted)
    assert kept([0.75, 0.25, 0.5], metric, keep=False) == (0.5, 0.5)


class Echo(Glue):
    """A task whose predictions are in its examples."""

    def predict(self, model: Any, examples: Any, run: Inference) -> list[Any]:
        return list(examples)


def test_each_part_that_a_split_tells_apart_is_scored_by_itself() -> None:
    """Also of several splits; a part that one of them lacks has no score."""
    task, nothing = Echo(name="glue/mnli", title="", subset="mnli"), cast(Any, None)
    matched = Split([0, 1, 1, 0, 2], [0, 1, 1, 1, 1], ["prompt_10", "prompt_2", "prompt_2", "prompt_2", "prompt_3"])
    scores = evaluate_splits(task, nothing, {"validation_matched": matched}, nothing)
    assert list(scores.parts.items()) == [("prompt_2", pytest.approx(2 / 3)), ("prompt_3", 0), ("prompt_10", 1)]
    other = Split([0, 1], [0, 0], ["prompt_2", "prompt_10"])
    both = {"validation_matched": matched, "validation_mismatched": other}
    assert list(evaluate_splits(task, nothing, both, nothing).parts) == ["prompt_2", "prompt_10"]
    assert evaluate_splits(task, nothing, {"validation_matched": Split([0], [0])}, nothing).parts == {}


def test_the_record_says_what_the_metrics_are_and_what_is_odd_about_them() -> None:
    said: list[str] = []
    record = SimpleNamespace(metrics=Metrics("quality"))
    run: Any = SimpleNamespace(record=record, warn=said.append)
    task = Glue(name="glue/rte", title="", subset="rte")
    note_metrics(run, task, Scores({"accuracy": 87.5, "quality": 1e9, "rmse": 2.0}, {}, {}, {}))
    assert record.metrics.about["accuracy"]["better"] == "higher"
    assert record.metrics.about["rmse"]["better"] == "lower"
    assert record.metrics.about["quality"]["assumed"]
    assert any("'quality' is not known" in line for line in said)
    assert "accuracy 87.5 is outside of its range, 0 to 1" in said
    assert len(said) == 2
