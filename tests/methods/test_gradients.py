"""Nothing is counted as trained that is not: every counted value gets a gradient, or the method says which do not."""

import itertools

import pytest
import torch

from bench.configuration.schema import Family
from tests.tiny import Adapted, all_methods, settings_of, tiny_batch, tiny_model

PAIRS = list(itertools.product(all_methods(), [family.value for family in Family]))
STEPS = 2


def reached(adapted):
    """By name, which entries of each counted parameter got a gradient in the first two steps; the head left out."""
    silence, seen = adapted.method.on_gradients, {}

    def look(model):
        for name, parameter in model.named_parameters():
            if parameter.requires_grad and not adapted.setting.structure.is_of_head(name):
                found = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
                seen[name] = seen.get(name, False) | found.ne(0)
        silence(model)

    adapted.method.on_gradients = look
    adapted.train(STEPS, rate=1e-3)
    return seen


@pytest.mark.parametrize(("name", "family"), PAIRS, ids=[f"{name}-{family}" for name, family in PAIRS])
def test_every_counted_value_gets_a_gradient_within_two_steps_or_the_method_says_why_not(name, family):
    # The base's own units are smooth: a ReLU would keep gradients from what stands before it.
    smooth = {"feed_forward_proj": "gated-gelu"} if family == "encoder_decoder" else {}
    quantised = "qlora" in name
    adapted = Adapted(settings_of(name), family, base=tiny_model(family, quantised, **smooth))
    entries = reached(adapted)
    assert entries
    for parameter, got in entries.items():
        excused = [reason for part, reason in adapted.method.without_gradient if part in parameter]
        assert got.any(), f"{parameter} gets no gradient at all"
        assert got.all() or excused, f"{int((~got).sum())} of {got.numel()} entries of {parameter} get no gradient"


@pytest.mark.parametrize(("name", "family"), PAIRS, ids=[f"{name}-{family}" for name, family in PAIRS])
def test_whatever_is_frozen_keeps_its_bits_buffers_too(name, family):
    adapted = Adapted(settings_of(name), family)
    frozen = {key: p.detach().clone() for key, p in adapted.model.named_parameters() if not p.requires_grad}
    buffers = {key: b.detach().clone() for key, b in adapted.model.named_buffers() if not key.endswith("_child")}
    adapted.train(STEPS)
    for key, value in frozen.items():
        assert torch.equal(adapted.model.get_parameter(key), value), key
    for key, value in buffers.items():
        assert torch.equal(adapted.model.get_buffer(key), value), key


def test_adalora_weighs_a_layer_that_was_left_out_of_a_step_as_one_without_gradient():
    """As where layers are dropped at random in training; the peft library itself would stop there."""
    adapted = Adapted(settings_of("adalora"), "encoder")
    model = adapted.model
    model(**tiny_batch("encoder")).loss.backward()
    left_out = [p for name, p in model.named_parameters() if ".layer.1." in name and p.grad is not None]
    assert left_out
    for parameter in left_out:
        parameter.grad = None
    adapted.method.after_step(model, 1)
    assert not any(parameter.grad.any() for parameter in left_out)
