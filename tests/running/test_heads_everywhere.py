"""Cells of a classification task on decoders and encoder-decoders: run, recorded and planned like an encoder's."""

import pytest
from safetensors.torch import load_file

from bench.configuration.compose import build
from bench.metering.parameters import plan_parameters
from bench.methods.base import Method
from bench.planning.predict import predict
from bench.records.schema import Status
from bench.running.runner import run_cell
from bench.tasks.build import task_of
from tests.cells import MODELS, SHORT, trained_file
from tests.planning.real_step import RealTraining
from tests.planning.test_depths import check_equal, deep_cell

HEADS = {"decoder": "score", "encoder_decoder": "classification_head"}


def cell_of(compose, family, method, *more, task="miniature/sst2"):
    return compose(
        f"model={MODELS[family]}", f"task={task}", f"method={method}", "device=cpu", "task.answer=head", *more
    )


@pytest.mark.parametrize(
    ("family", "method", "task"),
    [
        ("decoder", "lora", "miniature/sst2"), ("decoder", "prefix_tuning", "miniature/mnli"),
        ("encoder_decoder", "adapter_s", "miniature/sst2"), ("encoder_decoder", "lora", "miniature/stsb"),
    ],
)  # fmt: skip
def test_a_cell_is_trained_scored_measured_and_counted_as_planned(compose, family, method, task):
    cell = cell_of(compose, family, method, *SHORT, "measure_inference=true", task=task)
    record, path = run_cell(cell)
    assert record.status == Status.done, record.error
    assert record.environment["head"] == {"weights": "fresh", "modules": [HEADS[family]]}
    planned = plan_parameters(cell.base, build(cell.config["method"], Method), task_of(cell).head(), 6, 9)
    assert planned == record.parameters
    trained = load_file(trained_file(path))
    assert (
        sum(t.numel() for name, t in trained.items() if f".{HEADS[family]}." in f".{name}")
        == record.parameters.head
        > 0
    )
    assert record.inference.keys() >= {"adapted", "bare"}


@pytest.mark.parametrize("family", HEADS)
def test_a_plan_foretells_what_the_allocator_gave_out(compose, family):
    synthetic = ("data.synthetic=true", "data.limit_train=128", "training.max_steps=20")
    cell = cell_of(compose, family, "lora", *synthetic)
    assert predict(cell, "cpu").peak == pytest.approx(RealTraining(cell).allocator_peak(), rel=0.01)


@pytest.mark.parametrize("family", [pytest.param("decoder", marks=pytest.mark.slow), "encoder_decoder"])
def test_what_follows_from_few_blocks_is_what_all_of_them_show(compose, family):
    check_equal(deep_cell(compose, family, "lora", "task.answer=head", task="miniature/sst2"))
