"""Inference after training, and predictions in records."""

import json
import weakref

import pytest
import torch

from bench.records.schema import Record
from bench.records.store import read_record
from bench.running.overhead import inference_cost
from bench.running.runner import run_cell
from bench.training.optimiser import make_optimiser
from tests.cells import MODELS, SHORT, TASKS


def run(compose, family, method, *more):
    return run_cell(
        compose(
            f"model={MODELS[family]}", f"task={TASKS[family]}", f"method={method}", "device=cpu", "save_trained=false",
            *SHORT, *more,
        )
    )  # fmt: skip


@pytest.mark.parametrize(
    ("family", "method", "merges"),
    [
        ("encoder", "lora", True),
        ("encoder", "prompt_tuning", False),
        ("encoder_decoder", "ia3", True),
        ("decoder", "qlora", True),
        ("decoder", "bitfit", False),
    ],
)
def test_the_adapted_model_is_held_against_the_bare_and_the_merged_one(compose, family, method, merges):
    record, path = run(compose, family, method, "measure_inference=true")
    assert record.status == "done", record.error
    costs = read_record(path).inference
    assert set(costs) == ({"adapted", "merged", "bare"} if merges else {"adapted", "bare"})
    assert all(cost.seconds > 0 and cost.peak > cost.weights > 0 for cost in costs.values())
    added = costs["adapted"].weights - costs["bare"].weights
    if method == "qlora":
        assert added < 0  # four bits, and the bare model is not quantised
    else:
        assert 0 < added <= 4 * 2 * record.parameters.trainable  # peft keeps a frozen copy of a trained head
    bare, adapted = costs["bare"].operations, costs["adapted"].operations
    assert bare > 0
    assert adapted >= bare if method in {"ia3", "bitfit"} else adapted > bare  # products with vectors are not counted
    if merges:
        assert costs["merged"].operations == bare
        assert costs["merged"].weights == pytest.approx(costs["bare"].weights, rel=1e-3)
    assert "inference" in record.memory.phases


def test_a_model_that_what_was_trained_cannot_be_merged_into_is_no_reason_to_lose_the_cell(compose):
    record, _ = run(compose, "decoder", "bitfit", "measure_inference=true")
    assert record.status == "done", record.error
    assert "BitFit cannot be merged here: the base model's own class has no biases" in record.warnings


@pytest.mark.parametrize(
    ("form", "left"), [(0, {"merged", "bare"}), (1, {"adapted", "bare"}), (2, {"adapted", "merged"})]
)
def test_a_form_that_memory_does_not_suffice_for_is_missing_and_the_cell_is_done(compose, monkeypatch, form, left):
    calls = []

    def cost(*arguments):
        calls.append(arguments)
        if len(calls) == form + 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return inference_cost(*arguments)

    monkeypatch.setattr("bench.running.overhead.inference_cost", cost)
    record, _ = run(compose, "encoder", "lora", "measure_inference=true")
    assert record.status == "done", record.error
    assert set(record.inference) == left
    assert [text for text in record.warnings if "memory did not suffice to measure" in text]


def test_the_optimiser_is_gone_when_inference_is_measured(compose, monkeypatch):
    made = []

    def make(*arguments):
        optimiser = make_optimiser(*arguments)
        made.append(weakref.ref(optimiser))
        return optimiser

    def cost(*arguments):
        assert made
        assert made[0]() is None
        return inference_cost(*arguments)

    monkeypatch.setattr("bench.running.fitting.make_optimiser", make)
    monkeypatch.setattr("bench.running.overhead.inference_cost", cost)
    record, _ = run(compose, "encoder", "lora", "measure_inference=true")
    assert record.status == "done", record.error


def test_without_it_nothing_is_measured_and_records_of_before_can_be_read(compose):
    record, path = run(compose, "encoder", "lora")
    assert record.inference == {}
    before = json.loads(path.read_text())
    del before["inference"], before["memory"]["train_peak_predicted"]
    del before["time"]["flops_per_second"], before["time"]["utilisation"]
    after = read_record(path)
    after.time.flops_per_second = None
    assert Record.from_dict(before) == after


def test_a_cell_that_runs_out_of_memory_says_what_it_would_have_taken(compose, monkeypatch):
    def too_much(*_, **__):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("bench.running.fitting.train", too_much)
    record, path = run(compose, "encoder", "lora")
    assert record.status == "out_of_memory"
    assert "train" not in record.memory.phases
    foretold = read_record(path).memory.train_peak_predicted
    assert foretold.trainable_weights == 4 * record.parameters.trainable
    assert foretold.activations > 0


def test_where_asked_for_the_prediction_stands_beside_the_measurement(compose):
    record, _ = run(compose, "encoder", "lora", "predict_memory=true")
    foretold, measured = record.memory.train_peak_predicted, record.memory.train_peak_split
    assert foretold.optimiser_state == measured.optimiser_state
    assert foretold.activations >= measured.activations  # of batches shorter than the longest


def test_a_prediction_that_fails_leaves_the_record_alone(compose, monkeypatch):
    def confused(*_):
        raise RuntimeError("data-dependent")

    monkeypatch.setattr("bench.running.foretell.predict", confused)
    record, _ = run(compose, "encoder", "lora", "predict_memory=true")
    assert record.status == "done"
    assert record.memory.train_peak_predicted is None
    assert "data-dependent" in record.environment["prediction"]
