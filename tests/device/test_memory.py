"""What training takes on a device that is not the host, by its own account, against what the plan foretells."""

import gc
from itertools import product

import pytest
import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from bench.configuration.schema import Precision
from bench.metering.storages import StorageTracker
from bench.planning.cuda_kernels import REPLACED
from bench.planning.predict import predict
from bench.training.arithmetic import Arithmetic
from tests.cells import MODELS
from tests.device.account import memory
from tests.device.standin import DEVICE
from tests.planning.real_step import RealTraining
from tests.planning.test_prediction import always, cell_of
from tests.tiny import all_methods

SMALL = ("training.batch_size=8", "training.max_length=32")
METHODS = [name for name in all_methods() if name not in ("peft/any", "qlora")]
# Each of these on one family; LoRA is on all of them below.
USUAL = [("full", "encoder_decoder"), ("full", "decoder"), ("prompt_tuning", "encoder_decoder"),
         ("adapter_s", "encoder")]  # fmt: skip


class TrainingThere(RealTraining):
    """A cell's training phase on the stand-in."""

    def __init__(self, cell):
        super().__init__(cell)
        gc.collect()
        self.before = memory.living  # a test that has failed holds what it had
        self.model.to(DEVICE)
        self.arithmetic = Arithmetic(Precision.fp32, DEVICE)

    def peak(self, tracker=None):
        """Bytes at the largest moment of the training, with what the model holds before."""
        with memory.from_here() as own:
            self.run(tracker)
        return own.peak - self.before


class DropoutOfAGpu(TorchFunctionMode):
    """PyTorch's dropout keeps a byte an element on every device but a CPU, where it keeps a number."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        func = REPLACED[func] if func in (functional.dropout, torch.dropout) else func
        return func(*args, **(kwargs or {}))


@pytest.fixture
def foretold(monkeypatch):
    """The plan's peak with the kernels that the stand-in has: a CPU's, and dropout."""
    monkeypatch.setattr("bench.planning.follow._kernels_of", lambda device: DropoutOfAGpu())
    return lambda cell: predict(cell, "cpu").peak


@pytest.mark.parametrize(("method", "family"), always(USUAL, product(METHODS, MODELS)))
def test_the_plan_is_within_one_percent_of_what_the_device_gave_out(compose, foretold, method, family):
    cell = cell_of(compose, family, method, *SMALL)
    assert foretold(cell) == pytest.approx(TrainingThere(cell).peak(), rel=0.01)


@pytest.mark.parametrize(
    ("family", "settings"),
    [
        *((family, ("training.gradient_checkpointing=true",)) for family in MODELS),
        ("encoder", ("training.batch_size=16", "training.micro_batch_size=4")),
        ("decoder", ("model.attention=eager",)),
    ],
)
def test_it_is_with_other_settings_too(compose, foretold, family, settings):
    cell = cell_of(compose, family, "lora", *SMALL, *settings)
    assert foretold(cell) == pytest.approx(TrainingThere(cell).peak(), rel=0.01)


@pytest.mark.parametrize("family", MODELS)
def test_what_the_harness_measures_is_what_the_device_gave_out(compose, family):
    tracker = StorageTracker(DEVICE)
    peak = TrainingThere(cell_of(compose, family, "lora", *SMALL)).peak(tracker)
    assert tracker.peak == pytest.approx(peak, rel=0.001)
