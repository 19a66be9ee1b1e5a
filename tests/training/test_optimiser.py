"""Learning rates, decay and the number of steps."""

import json
from types import SimpleNamespace

import pytest
import torch
import transformers
from torch import nn

from bench.configuration.schema import Optimiser, TrainingConfig
from bench.errors import UserError
from bench.methods.base import ParameterGroup
from bench.planning.optimisers import planned
from bench.running.runner import run_cell
from bench.running.state import put_tensors, take_tensors
from bench.training.optimiser import load_state, make_optimiser, make_schedule, step_count
from tests.cells import SHORT
from tests.tiny import Adapted, tiny_batch
from tests.tiny import settings_of as method_settings_of


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear, self.norm, self.head = nn.Linear(2, 2), nn.LayerNorm(2), nn.Linear(2, 2)


def optimiser_of(model, training, *groups):
    groups = groups or (ParameterGroup(list(model.named_parameters())),)
    head = {"head.weight", "head.bias"}
    method = SimpleNamespace(
        title="Grouped",
        parameter_groups=lambda _: list(groups),
        optimiser=lambda: Optimiser.adamw,
        rate_multipliers=dict,
    )
    return make_optimiser(model, method, head, training)


def settings_of(optimiser, parameter):
    group = next(g for g in optimiser.param_groups if any(p is parameter for p in g["params"]))
    return group["lr"], group["weight_decay"]


def test_biases_and_norms_do_not_decay():
    model, training = Small(), TrainingConfig(learning_rate=0.5, weight_decay=0.1)
    optimiser = optimiser_of(model, training)
    assert settings_of(optimiser, model.linear.weight) == (0.5, 0.1)
    assert settings_of(optimiser, model.linear.bias) == (0.5, 0.0)
    assert settings_of(optimiser, model.norm.weight) == (0.5, 0.0)


@pytest.mark.parametrize("family", ["encoder", "encoder_decoder", "decoder"])
@pytest.mark.parametrize("method", ["full", "adapter_s", "mam", "bitfit", "lora"])
def test_weight_decay_spares_what_the_trainer_spares(family, method):
    """By full names: T5's `relative_attention_bias.weight` is a bias. Embeddings and heads decay."""
    adapted = Adapted(method_settings_of(method), family)
    optimiser = make_optimiser(adapted.model, adapted.method, set(), TrainingConfig(weight_decay=0.1))
    decayed = {p for group in optimiser.param_groups if group["weight_decay"] for p in group["params"]}
    theirs = set(transformers.Trainer.get_decay_parameter_names(None, adapted.model))
    trained = {name: p for name, p in adapted.model.named_parameters() if p.requires_grad}
    assert {name for name, p in trained.items() if p in decayed} == trained.keys() & theirs
    if (family, method) == ("encoder_decoder", "full"):
        table = "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight"
        assert trained[table] not in decayed
        assert trained["shared.weight"] in decayed


def test_norms_are_known_by_their_class_where_their_name_says_nothing():
    class OwnRMSNorm(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(2))

    model = nn.ModuleDict({"scale": OwnRMSNorm(), "inner_norm": nn.Linear(2, 2), "normal": nn.Linear(2, 2)})
    optimiser = optimiser_of(model, TrainingConfig(weight_decay=0.1))
    decays = {name: settings_of(optimiser, p)[1] for name, p in model.named_parameters()}
    assert [name for name, decay in decays.items() if decay] == ["normal.weight"]


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


def test_moments_that_were_paged_out_are_paged_again_when_a_cell_is_resumed(monkeypatch):
    """bitsandbytes' own optimiser; without a GPU, only what it takes for paged memory is made up."""
    from bitsandbytes.optim import PagedAdamW32bit

    def paged(optimiser, parameter, dtype=torch.float32):
        buffer = torch.zeros_like(parameter, dtype=dtype)
        buffer.would_be_paged = parameter.numel() >= 1e5
        return buffer

    def moments(optimiser):
        return [values[key] for values in optimiser.state.values() for key in ("state1", "state2")]

    monkeypatch.setattr(PagedAdamW32bit, "get_state_buffer", paged)
    parameters = [nn.Parameter(torch.randn(size)) for size in (100_000, 10)]
    first = PagedAdamW32bit(parameters, lr=1e-3)
    for _ in range(2):
        for parameter in parameters:
            parameter.grad = torch.randn_like(parameter)
        first.step()
    saved = first.state_dict()
    second = PagedAdamW32bit(parameters, lr=1e-3)
    load_state(second, saved)
    assert [moment.would_be_paged for moment in moments(second)] == [True, True, False, False]
    assert all(torch.equal(new, old) for new, old in zip(moments(second), moments(first), strict=True))
    assert moments(first)[0].abs().sum() > 0


EVERY = list(Optimiser)


def trained_with(kind, steps=3, family="decoder", **settings):
    adapted = Adapted(method_settings_of("full"), family)
    training = TrainingConfig(learning_rate=1e-3, optimiser=kind, **settings)
    optimiser = make_optimiser(adapted.model, adapted.method, set(), training)
    return losses_of(adapted, optimiser, steps), adapted, optimiser


def losses_of(adapted, optimiser, steps):
    losses = []
    for _ in range(steps):
        loss = adapted.model(**tiny_batch(adapted.family)).loss
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize("kind", EVERY)
def test_every_optimiser_learns_and_goes_on_from_its_saved_state(kind):
    losses, half, first = trained_with(kind, 3)
    assert losses[-1] < losses[0]
    _, other, second = trained_with(kind, 0)
    other.model.load_state_dict(half.model.state_dict())
    tensors = {}
    plain = take_tensors(first.state_dict(), "optimiser", tensors)  # as a checkpoint keeps it
    tensors = {name: tensor.clone() for name, tensor in tensors.items()}
    load_state(second, put_tensors(json.loads(json.dumps(plain)), tensors))
    continued = [losses_of(*pair, 2) for pair in ((half, first), (other, second))]
    assert continued[0] == continued[1]


@pytest.mark.parametrize("kind", ["adamw_8bit", "paged_adamw_8bit", "lion"])
def test_a_plan_knows_the_size_of_its_state(kind):
    _, _, optimiser = trained_with(kind, 1)
    assert type(optimiser).__module__.startswith("bitsandbytes")
    foreseen = planned("cpu", None)([{"params": g["params"], "lr": 1.0} for g in optimiser.param_groups], None, kind)
    for group in foreseen.param_groups:
        for parameter in group["params"]:
            parameter.grad = torch.zeros_like(parameter)
    foreseen.step()

    def size(one):
        held = {id(t): t.nbytes for state in one.state.values() for t in state.values() if torch.is_tensor(t)}
        return sum(held.values())

    assert size(foreseen) == size(optimiser)


def test_rates_and_decays_are_multiplied_by_name_before_kind():
    adapted = Adapted(method_settings_of("lora"), "encoder")
    head = {name for name, _ in adapted.model.named_parameters() if "classifier" in name}
    training = TrainingConfig(
        learning_rate=0.5, weight_decay=0.1, rate_multipliers={"lora_B": 16, "weight": 2, "head": 4},
        weight_decays={"lora_A": 0.2, "bias": 0.3},
    )  # fmt: skip
    optimiser = make_optimiser(adapted.model, adapted.method, head, training)
    found = {name: settings_of(optimiser, p) for name, p in adapted.model.named_parameters() if p.requires_grad}
    assert {found[name] for name in found if "lora_A" in name} == {(1.0, 0.2)}
    assert {found[name] for name in found if "lora_B" in name} == {(8.0, 0.1)}
    assert {found[name] for name in found if name.endswith("out_proj.bias")} == {(2.0, 0.3)}


def test_a_method_declares_its_own_and_the_cell_may_say_otherwise():
    adapted = Adapted(method_settings_of("lora") | {"b_rate": 16.0}, "decoder")
    for users, rate in (({}, 16.0), ({"lora_B": 4.0}, 4.0)):
        training = TrainingConfig(learning_rate=1.0, rate_multipliers=users)
        optimiser = make_optimiser(adapted.model, adapted.method, set(), training)
        assert sorted(group["lr"] for group in optimiser.param_groups) == [1.0, rate]


def test_a_multiplier_of_what_is_not_trained_is_refused():
    adapted = Adapted(method_settings_of("lora"), "decoder")
    with pytest.raises(UserError, match=r"rate_multipliers\.lora_C: nothing that LoRA trains is called so"):
        make_optimiser(adapted.model, adapted.method, set(), TrainingConfig(rate_multipliers={"lora_C": 2.0}))


@pytest.mark.parametrize("setting", ["training.rate_multipliers={bias: -1}", "training.weight_decays={bias: 1e99}"])
def test_a_multiplier_is_a_number_from_zero_on(compose, setting):
    with pytest.raises(UserError, match=r"bias=.* must be 0 or more, finite"):
        compose(setting)


@pytest.mark.parametrize("kind", ["adamw_8bit", "lion"])
def test_a_cell_says_which(compose, kind):
    record, _ = run_cell(compose(*SHORT, f"training.optimiser={kind}"))
    assert record.status == "done", record.error
    assert record.environment["optimiser"] == {"adamw_8bit": "AdamW8bit", "lion": "Lion"}[kind]
