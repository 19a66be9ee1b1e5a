"""The training loop on a device that is not the host: the same losses, no stranger among its tensors, and no waits."""

import pytest
import torch
from torch import nn

from bench.configuration.schema import Family, TrainingConfig
from bench.metering.time import StepClock
from bench.models.head import head_parameters
from bench.training.loop import gradients_of, train
from bench.training.losses import Losses
from bench.training.optimiser import make_optimiser, make_schedule
from tests.device.standin import DEVICE, TO_HOST, WAITS, move, watching
from tests.tiny import Adapted, all_methods, settings_of, tiny_batch

CPU = torch.device("cpu")
FAMILIES = ("encoder", "encoder_decoder", "decoder")
STEPS, MICRO = 3, 2


class Accelerator:
    """The part of the Accelerator that the loop uses, on any device."""

    def __init__(self, device):
        self.device = device

    def backward(self, loss):
        loss.backward()

    def clip_grad_norm_(self, parameters, largest):
        return nn.utils.clip_grad_norm_(parameters, largest, foreach=False)


def trained(adapted, device):
    """The mean loss of a few steps of two micro-batches each, and what was waited for."""
    model, method, accelerator = adapted.model, adapted.method, Accelerator(device)
    training = TrainingConfig(learning_rate=1e-2, weight_decay=0.1, log_every=1000, batch_size=8, micro_batch_size=4)
    batches = [[tiny_batch(adapted.family, seed=MICRO * step + part) for part in range(MICRO)] for step in range(STEPS)]
    torch.manual_seed(5)
    method.prepare(model, lambda: gradients_of(model, iter(batches), accelerator))
    head = {name for name, _ in head_parameters(model, adapted.setting.structure)}
    optimiser = make_optimiser(model, method.parameter_groups(model), head, training, method.optimiser())
    for group in optimiser.param_groups:  # the same arithmetic on both: the stand-in has no fused kernels
        group["fused"] = group["foreach"] = False
    losses = Losses()
    with watching() as events:
        train(
            model, method, iter(batches), optimiser=optimiser, schedule=make_schedule(optimiser, training, STEPS),
            training=training, total_steps=STEPS, family=Family(adapted.family), accelerator=accelerator,
            clock=StepClock(CPU), losses=losses, evaluate=lambda step: None, progress=lambda *_: None,
            checkpoint=lambda step: None,
        )  # fmt: skip
    return losses.means[-1]["loss"], events


def away(method, family):
    """A method on a tiny model, all of it on the stand-in."""
    adapted = Adapted(settings_of(method), family)
    move(adapted.model)
    return adapted


# bitsandbytes' packed parameters are a tensor class of their own, which a wrapper tensor cannot be.
METHODS = [name for name in all_methods() if name not in ("peft/any", "qlora")]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("method", METHODS)
def test_the_losses_are_those_of_the_host_and_nothing_is_waited_for(method, family):
    expected, _ = trained(Adapted(settings_of(method), family), CPU)
    found, events = trained(away(method, family), DEVICE)
    assert found == pytest.approx(expected, rel=1e-5)
    assert sum(events[str(wait)] for wait in WAITS) == 0
    assert events[TO_HOST] == 1, "the losses, when they are read"


def test_a_tensor_of_the_host_in_a_step_is_refused():
    adapted = away("bitfit", "encoder")
    adapted.method.on_gradients = lambda model: next(model.parameters()).detach().add(torch.ones(1))
    with pytest.raises(RuntimeError, match="a tensor of the host among tensors of the device"):
        trained(adapted, DEVICE)


def test_a_buffer_left_behind_is_refused():
    adapted = away("child_tuning_f", "encoder")
    apply_masks = adapted.method.on_gradients

    def left_behind(model):
        model.register_buffer("left_behind", torch.ones(1), persistent=False)
        next(p for p in model.parameters() if p.grad is not None).grad.mul_(model.left_behind)
        apply_masks(model)

    adapted.method.on_gradients = left_behind
    with pytest.raises(RuntimeError, match="a tensor of the host among tensors of the device"):
        trained(adapted, DEVICE)


def test_a_value_that_is_fetched_in_a_step_is_counted():
    adapted = away("bitfit", "encoder")
    adapted.method.after_step = lambda model, step: float(next(model.parameters()).detach().sum().item())
    _, events = trained(adapted, DEVICE)
    assert sum(events[str(wait)] for wait in WAITS) == STEPS
