"""The training loop on a device that is not the host: the same losses, no stranger among its tensors, and no waits."""

from itertools import product

import pytest
import torch

from bench.configuration.schema import Family, Precision, TrainingConfig
from bench.metering.time import StepClock
from bench.models.head import head_parameters
from bench.training.arithmetic import Arithmetic
from bench.training.loop import gradients_of, train
from bench.training.losses import Losses
from bench.training.optimiser import make_optimiser, make_schedule
from tests.device.events import described, watching
from tests.device.standin import DEVICE
from tests.planning.test_prediction import always
from tests.tiny import Adapted, all_methods, settings_of, tiny_batch

CPU = torch.device("cpu")
FAMILIES = ("encoder", "encoder_decoder", "decoder")
STEPS, MICRO = 3, 2


def micro_batches(family):
    return [[tiny_batch(family, seed=MICRO * step + part) for part in range(MICRO)] for step in range(STEPS)]


def trained(adapted, device, log_every=1000):
    """The mean loss of a few steps of two micro-batches each, and what happened between host and device."""
    model, method, arithmetic = adapted.model.to(device), adapted.method, Arithmetic(Precision.fp32, device)
    settings = {"learning_rate": 1e-2, "weight_decay": 0.1, "batch_size": 8, "micro_batch_size": 4}
    training = TrainingConfig(**settings, log_every=log_every)
    batches = micro_batches(adapted.family)
    torch.manual_seed(5)
    method.prepare(model, lambda: gradients_of(model, iter(batches), arithmetic))
    head = {name for name, _ in head_parameters(model, adapted.setting.structure)}
    optimiser = make_optimiser(model, method, head, training)
    losses = Losses()
    with watching() as events:
        train(
            model, method, iter(batches), optimiser=optimiser, schedule=make_schedule(optimiser, training, STEPS),
            training=training, total_steps=STEPS, family=Family(adapted.family), arithmetic=arithmetic,
            clock=StepClock(CPU), losses=losses, evaluate=lambda step: None, progress=lambda *_: None,
            checkpoint=lambda step: None,
        )  # fmt: skip
    return losses.means[-1]["loss"], events


# bitsandbytes' packed parameters are a tensor class of their own, which a wrapper tensor cannot be.
METHODS = [name for name in all_methods() if name != "qlora"]
IN_TURN = [(method, FAMILIES[index % 3]) for index, method in enumerate(METHODS)]


@pytest.mark.parametrize(("method", "family"), always(IN_TURN, product(METHODS, FAMILIES)))
def test_the_losses_are_the_hosts_and_nothing_but_the_batches_is_copied_or_waited_for(method, family):
    expected, _ = trained(Adapted(settings_of(method), family), CPU)
    found, events = trained(Adapted(settings_of(method), family), DEVICE)
    assert found == pytest.approx(expected, rel=1e-5)
    batches = [batch for step in micro_batches(family) for batch in step]
    assert sorted(events.to_device) == sorted(described(tensor) for batch in batches for tensor in batch.values())
    read = f"float32 ({STEPS},)"
    assert events.to_host == [read], "the losses, when they are read"
    assert events.waits == {f"copy to the host of {read}": 1}


def test_losses_are_fetched_at_logging_intervals():
    _, events = trained(Adapted(settings_of("lora"), "encoder"), DEVICE, log_every=2)
    assert events.to_host == ["float32 (2,)", "float32 (1,)"]
    assert sum(events.waits.values()) == 2


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("method", ["prompt_tuning", "prefix_tuning"])
def test_prompts_are_made_on_the_device_and_nothing_else_is(method, family):
    """Also where the forward pass has failed before it came to the model itself."""
    adapted, seen = Adapted(settings_of(method), family), set()
    model = adapted.model.to(DEVICE)
    with pytest.raises((ValueError, TypeError, AttributeError)):
        model(attention_mask=torch.ones(1, 3, device=DEVICE))
    assert torch.ones(1).device == CPU
    first = adapted.setting.structure.linears[0]
    layer = next(module for name, module in model.named_modules() if name.endswith(first))
    layer.register_forward_pre_hook(lambda *_: seen.add(torch.ones(1).device))
    model(**{name: tensor.to(DEVICE) for name, tensor in tiny_batch(family).items()})
    assert seen == {CPU}
    assert torch.ones(1).device == CPU


def test_a_tensor_of_the_host_in_a_step_is_refused():
    adapted = Adapted(settings_of("bitfit"), "encoder")
    adapted.method.on_gradients = lambda model: next(model.parameters()).detach().add(torch.ones(1))
    with pytest.raises(RuntimeError, match="a tensor of the host among tensors of the device"):
        trained(adapted, DEVICE)


def test_a_buffer_left_behind_is_refused():
    adapted = Adapted(settings_of("child_tuning_f"), "encoder")
    apply_masks = adapted.method.on_gradients

    def left_behind(model):
        model.register_buffer("left_behind", torch.ones(1), persistent=False)
        next(p for p in model.parameters() if p.grad is not None).grad.mul_(model.left_behind)
        apply_masks(model)

    adapted.method.on_gradients = left_behind
    with pytest.raises(RuntimeError, match="a tensor of the host among tensors of the device"):
        trained(adapted, DEVICE)
