"""The number types of a step: what goes with what, and the scaled loss of fp16."""

import pytest
import torch
from torch import nn

from bench.configuration.number_types import precision_for
from bench.configuration.schema import Dtype, Precision
from bench.errors import UnsupportedError, UserError
from bench.training.arithmetic import Arithmetic, check_precision

CPU = torch.device("cpu")
CELL = ("model=miniature/llama", "task=miniature/mmlu", "method=lora")


@pytest.mark.parametrize(("dtype", "precision"), [("float32", "fp32"), ("bfloat16", "bf16"), ("float16", "fp16")])
def test_a_base_brings_its_arithmetic(compose, dtype, precision):
    cell = compose(*CELL, f"model.dtype={dtype}")
    assert cell.training.precision == precision
    assert cell.id == compose(*CELL, f"model.dtype={dtype}", f"training.precision={precision}").id


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (("model.dtype=bfloat16", "training.precision=fp32"), "computed in bf16, not in training.precision=fp32"),
        (("model.dtype=float16", "training.precision=bf16"), "computed in fp16"),
        (("model.dtype=float16", "training.master_weights=false"), "would vanish in fp16"),
    ],
)
def test_types_that_do_not_go_together_are_refused_when_the_cell_is_made(compose, settings, words):
    with pytest.raises(UserError, match=words):
        compose(*CELL, *settings)


def test_a_base_in_fp32_goes_with_any_arithmetic():
    assert [precision_for(Dtype.float32, p) for p in (Precision.bf16, Precision.fp16, Precision.tf32)] == [
        "bf16", "fp16", "tf32"
    ]  # fmt: skip


def test_tf32_is_refused_where_there_is_no_such_gpu():
    with pytest.raises(UserError, match=r"capability 8\.0"):
        check_precision(Precision.tf32, CPU)


def test_a_scaled_loss_is_refused_where_the_model_is_cut_into_pieces():
    with pytest.raises(UnsupportedError, match="fsdp does not scale losses"):
        check_precision(Precision.fp16, CPU, "fsdp")
    check_precision(Precision.bf16, CPU, "fsdp")
    check_precision(Precision.fp16, CPU, "ddp")


class Scaled:
    """One weight of value 1 under a loss of `factor` times itself, trained by SGD."""

    def __init__(self, precision=Precision.fp16):
        self.model, self.arithmetic = nn.Linear(1, 1, bias=False), Arithmetic(precision, CPU)
        nn.init.ones_(self.model.weight)
        self.optimiser = torch.optim.SGD(self.model.parameters(), lr=0.5)

    def step(self, factor):
        self.arithmetic.backward((self.model.weight * factor).sum())
        self.arithmetic.unscale(self.optimiser)
        gradient = self.model.weight.grad.clone()
        made = self.arithmetic.step(self.optimiser)
        self.optimiser.zero_grad()
        return gradient.item(), made


def test_gradients_are_scaled_back_before_anyone_sees_them():
    scaled = Scaled()
    assert scaled.step(0.25) == (0.25, True)
    assert scaled.model.weight.item() == 1 - 0.5 * 0.25
    assert scaled.arithmetic.notes() == {"skipped_steps": 0, "loss_scale": 65536.0}


def test_a_step_that_overflows_is_left_out_and_counted():
    scaled = Scaled()
    _, made = scaled.step(1e36)  # times 65536 it is infinite in fp32 too
    assert not made
    assert scaled.model.weight.item() == 1
    assert scaled.arithmetic.notes() == {"skipped_steps": 1, "loss_scale": 32768.0}


def test_the_scale_goes_into_a_checkpoint_and_comes_back():
    scaled, resumed = Scaled(), Scaled()
    scaled.step(1e36)
    resumed.arithmetic.load_state(scaled.arithmetic.state())
    assert resumed.arithmetic.notes() == scaled.arithmetic.notes()


def test_gradients_that_a_method_reads_beforehand_are_those_of_the_loss():
    scaled = Scaled()
    weight, arithmetic = scaled.model.weight, scaled.arithmetic
    arithmetic.backward((weight * 1e34).sum())
    assert not arithmetic.read_gradients([weight])  # the caller begins again, with half the scale
    while weight.grad is None or not arithmetic.read_gradients([weight]):
        weight.grad = None
        arithmetic.backward((weight * 1e34).sum())
    assert weight.grad.item() == pytest.approx(1e34)
    assert arithmetic.skipped == 0


def test_in_other_precisions_nothing_is_scaled():
    plain = Scaled(Precision.bf16)
    assert plain.step(0.25) == (0.25, True)
    assert plain.arithmetic.notes() == plain.arithmetic.state() == {}
