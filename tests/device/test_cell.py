"""One whole cell on a device that is not the host, through the harness's own runner: as on the CPU, killed or not."""

import json

import pytest
import torch
from safetensors.torch import load_file

from bench.records.schema import Status
from bench.running.runner import run_cell
from tests.cells import MODELS, TASKS, trained_file
from tests.planning.test_prediction import always

STEPS, KILLED_IN = 3, 3
CELL = (
    "training.batch_size=8", "training.micro_batch_size=4", f"training.max_steps={STEPS}", "training.log_every=1",
    "training.evaluations=1", "training.gradient_checkpointing=true", "training.learning_rate=1e-2",
    "data.limit_train=64", "data.limit_evaluation=8", "checkpoint_seconds=0", "measure_inference=true",
)  # fmt: skip


class Killed(BaseException):
    """Stands for a SIGKILL."""


def kill_in_the_last_step(phase, step, total, loss):
    if (phase, step) == ("train", KILLED_IN):
        raise Killed


CELLS = [*((family, "lora") for family in MODELS), ("encoder", "child_tuning_d"), ("decoder", "prompt_tuning")]
EACH_FAMILY = [("encoder", "child_tuning_d"), ("encoder_decoder", "lora"), ("decoder", "prompt_tuning")]


@pytest.mark.parametrize(("family", "method"), always(EACH_FAMILY, CELLS))
def test_a_cell_that_was_killed_and_went_on_is_what_it_is_on_the_cpu(compose, on_the_device, tmp_path, family, method):
    """Loaded, adapted, trained in micro-batches with checkpointing, evaluated, measured, saved."""

    def cell(place):
        settings = (f"model={MODELS[family]}", f"task={TASKS[family]}", f"method={method}", *CELL)
        return compose(*settings, f"results_dir={tmp_path / place}")

    expected, there = run_cell(cell("cpu"))
    assert expected.status == Status.done, expected.error
    on_the_device()
    with pytest.raises(Killed):
        run_cell(cell("device"), kill_in_the_last_step)
    record, here = run_cell(cell("device"))
    assert record.status == Status.done, record.error and record.error.traceback
    assert [entry["step"] for entry in record.environment["resumed"]] == [KILLED_IN - 1]

    losses = [entry["loss"] for entry in record.metrics.losses]
    assert losses == pytest.approx([entry["loss"] for entry in expected.metrics.losses], rel=1e-5)
    assert record.metrics.values == pytest.approx(expected.metrics.values, rel=1e-5)
    assert read(here, "predictions.json") == read(there, "predictions.json")
    found, wanted = (load_file(trained_file(path)) for path in (here, there))
    assert found.keys() == wanted.keys()
    for name, values in wanted.items():
        torch.testing.assert_close(found[name], values, rtol=1e-5, atol=1e-5, msg=name)
    assert record.parameters == expected.parameters
    assert record.inference.keys() == expected.inference.keys()
    for form, cost in expected.inference.items():
        assert record.inference[form].weights == cost.weights, form
        assert record.inference[form].peak == pytest.approx(cost.peak, rel=0.01), form


def read(path, name):
    return json.loads((path.parent / name).read_text())
