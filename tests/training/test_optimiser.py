"""Learning rates, decay and the number of steps."""

import pytest
import torch
from torch import nn

from bench.configuration.cell import TrainingConfig
from bench.methods.base import OptimiserKind, ParameterGroup
from bench.training.optimiser import make_optimiser, make_schedule, step_count


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear, self.norm, self.head = nn.Linear(2, 2), nn.LayerNorm(2), nn.Linear(2, 2)


def optimiser_of(model, training, *groups):
    groups = groups or (ParameterGroup(list(model.named_parameters())),)
    head = {"head.weight", "head.bias"}
    return make_optimiser(model, list(groups), head, training, OptimiserKind.adamw)


def settings_of(optimiser, parameter):
    group = next(g for g in optimiser.param_groups if any(p is parameter for p in g["params"]))
    return group["lr"], group["weight_decay"]


def test_biases_and_norms_do_not_decay():
    model, training = Small(), TrainingConfig(learning_rate=0.5, weight_decay=0.1)
    optimiser = optimiser_of(model, training)
    assert settings_of(optimiser, model.linear.weight) == (0.5, 0.1)
    assert settings_of(optimiser, model.linear.bias) == (0.5, 0.0)
    assert settings_of(optimiser, model.norm.weight) == (0.5, 0.0)


def test_head_and_groups_have_their_own_learning_rates():
    model, training = Small(), TrainingConfig(learning_rate=0.5, head_learning_rate=0.25)
    parameters = dict(model.named_parameters())
    fast = ParameterGroup([("linear.weight", parameters.pop("linear.weight"))], learning_rate=2.0)
    optimiser = optimiser_of(model, training, fast, ParameterGroup(list(parameters.items())))
    assert settings_of(optimiser, model.linear.weight)[0] == 2.0
    assert settings_of(optimiser, model.head.weight)[0] == 0.25
    assert settings_of(optimiser, model.linear.bias)[0] == 0.5


@pytest.mark.parametrize(
    ("schedule", "rates"),
    [
        ("linear", [0.5, 1.0, 0.75, 0.5, 0.25]),
        ("constant", [0.5, 1.0, 1.0, 1.0, 1.0]),
        ("cosine", [0.5, 1.0, 0.853553, 0.5, 0.146447]),
    ],
)
def test_schedules_warm_up_and_fall(schedule, rates):
    model, training = Small(), TrainingConfig(learning_rate=1.0, schedule=schedule, warmup=1 / 3)
    optimiser = optimiser_of(model, training)
    scheduler = make_schedule(optimiser, training, total_steps=6)
    seen = []
    for _ in rates:
        optimiser.step()
        scheduler.step()
        seen.append(scheduler.get_last_lr()[0])
    assert seen == pytest.approx(rates, abs=1e-5)


@pytest.mark.parametrize(
    ("examples", "settings", "steps"),
    [
        (100, {"epochs": 3}, 12),
        (97, {"epochs": 1}, 4),
        (96, {"epochs": 0.5}, 2),
        (100, {"epochs": 3, "max_steps": 5}, 5),
        (100, {"epochs": 1, "max_steps": 50}, 4),
    ],
)
def test_steps_are_epochs_over_batches_cut_at_the_maximum(examples, settings, steps):
    assert step_count(TrainingConfig(batch_size=32, **settings), examples) == steps


def test_the_update_is_adamw():
    model, training = Small(), TrainingConfig(learning_rate=0.1, weight_decay=0.01)
    optimiser = optimiser_of(model, training)
    weight = model.linear.weight.detach().clone()
    model.linear.weight.grad = torch.ones(2, 2)
    optimiser.step()
    # The first step of Adam with a gradient of one is the learning rate; the decay is decoupled.
    assert torch.allclose(model.linear.weight, weight * (1 - 0.1 * 0.01) - 0.1)
