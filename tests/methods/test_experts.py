"""LoRA on the experts of a mixture, whose matrices stand side by side in one parameter each."""

import pytest
import torch

from bench.configuration.schema import Family
from bench.errors import UnsupportedError, UserError
from bench.models.families import structure_of
from scripts.model_kinds import kind_model
from tests.tiny import HIDDEN, Adapted, logits_of, settings_of, tiny_batch

EXPERTS, INNER, RANK, BLOCKS = 4, {"mixtral": 128, "qwen3_moe": 32}, 4, 2
BOTH = ["expert_input", "expert_output"]


def lora(*sites, **changes):
    settings = settings_of("lora")
    return settings | {"r": RANK, "sites": settings["sites"] | {"decoder": list(sites)}} | changes


def adapted(kind, *sites, **changes):
    return Adapted(lora(*sites, **changes), "decoder", base=kind_model(Family.decoder, kind).eval())


def of_adapter(model):
    return {name: parameter for name, parameter in model.named_parameters() if "lora_" in name}


@pytest.mark.parametrize("kind", INNER)
def test_each_expert_has_factors_of_its_own(kind):
    made = adapted(kind, *BOTH)
    count = sum(parameter.numel() for parameter in of_adapter(made.model).values())
    inner = INNER[kind]
    per_expert = RANK * (HIDDEN + 2 * inner) + RANK * (inner + HIDDEN)  # the input projection is gated, hence twice
    assert count == BLOCKS * EXPERTS * per_expert
    assert made.model.get_nb_trainable_parameters()[0] == count


@pytest.mark.parametrize("kind", INNER)
def test_it_begins_at_the_base_learns_and_merges(kind):
    batch = tiny_batch("decoder")
    base = logits_of(kind_model(Family.decoder, kind).eval(), batch)
    made = adapted(kind, "query", *BOTH)
    assert torch.allclose(logits_of(made.model, batch), base, atol=1e-6)
    before = {name: parameter.clone() for name, parameter in of_adapter(made.model).items()}
    losses = made.train(4)
    assert losses[-1] < losses[0]
    assert all(not torch.equal(parameter, before[name]) for name, parameter in of_adapter(made.model).items())
    learnt = logits_of(made.model, batch)
    assert not torch.allclose(learnt, base, atol=1e-3)
    again = adapted(kind, "query", *BOTH)
    again.method.load_stored_state(again.model, made.method.stored_state(made.model))
    assert torch.allclose(logits_of(again.model, batch), learnt, atol=1e-6)
    merged = made.method.merge(made.model, made.setting)
    assert torch.allclose(logits_of(merged, batch), learnt, atol=1e-4)
    assert not of_adapter(merged)


def test_an_experts_update_is_its_b_times_its_a():
    """W_e + (alpha / r) B_e A_e for each expert e, written out by hand."""
    made, batch = adapted("mixtral", "expert_output"), tiny_batch("decoder")
    made.train(2)
    by_hand = kind_model(Family.decoder, "mixtral").eval()
    scale = made.method.alpha / RANK
    for number in range(BLOCKS):
        path = f"model.layers.{number}.mlp.experts"
        factors = {name: p for name, p in of_adapter(made.model).items() if path in name}
        (a,) = (p for name, p in factors.items() if "lora_A" in name)
        (b,) = (p for name, p in factors.items() if "lora_B" in name)
        weight = by_hand.get_submodule(path).down_proj
        for expert in range(EXPERTS):
            rows = a[expert * RANK : (expert + 1) * RANK]  # expert by expert …
            columns = b[:, expert::EXPERTS]  # … and rank by rank, as the library lays them out
            weight.data[expert] += scale * (columns @ rows).detach()
    assert torch.allclose(logits_of(by_hand, batch), logits_of(made.model, batch), atol=1e-5)


def test_dropout_is_refused_there():
    with pytest.raises(UserError, match=r"method\.dropout=0\.1 .* expert_input.*say method\.dropout=0"):
        adapted("mixtral", *BOTH, dropout=0.1)


def test_a_model_without_experts_says_so():
    with pytest.raises(UnsupportedError, match="no site 'expert_input': no experts"):
        Adapted(lora(*BOTH), "decoder")


def test_the_sites_of_a_feed_forward_point_to_those_of_experts():
    with pytest.raises(UnsupportedError, match=r"several feed-forwards \(experts\); LoRA has expert_input and"):
        adapted("mixtral", "feed_forward_input")


def test_no_other_method_takes_them():
    settings = settings_of("ia3")
    sites = {"sites": ["key", "expert_output"], "input_sites": ["expert_output"]}
    settings = settings | {key: settings[key] | {"decoder": value} for key, value in sites.items()}
    with pytest.raises(UnsupportedError, match="'expert_output' is a parameter of several experts, no linear layer"):
        Adapted(settings, "decoder", base=kind_model(Family.decoder, "mixtral"))


LLAMAS = {
    "name": "decoder", "blocks": "layers.{}",
    "attentions": [
        {"core": "self_attn", "output": "self_attn.o_proj"}
        | {part: f"self_attn.{part[0]}_proj" for part in ("query", "key", "value")}
    ],
}  # fmt: skip
OF_EXPERTS = {"input": "mlp.experts.gate_up_proj", "output": "mlp.experts.down_proj"}


def test_a_users_own_entry_names_the_parameters():
    model = kind_model(Family.decoder, "mixtral")
    given = {"stacks": [LLAMAS | {"experts": OF_EXPERTS}]}
    known, own = structure_of(model, Family.decoder), structure_of(model, Family.decoder, given)
    assert own.expert_parameters(BOTH) == known.expert_parameters(BOTH)
    assert own.expert_parameters(["expert_output"])[0] == "model.layers.0.mlp.experts.down_proj"


@pytest.mark.parametrize(
    ("experts", "named"),
    [
        (OF_EXPERTS | {"output": "mlp.experts.down"}, "mlp.experts.down"),
        (OF_EXPERTS | {"router": "mlp.gate"}, "router"),
        ({"input": "mlp.experts.gate_up_proj"}, "needs output"),
        (OF_EXPERTS | {"output": "mlp.gate.weight"}, "experts side by side"),
    ],
)
def test_an_entry_that_names_others_is_refused(experts, named):
    with pytest.raises(UserError, match=named):
        structure_of(kind_model(Family.decoder, "mixtral"), Family.decoder, {"stacks": [LLAMAS | {"experts": experts}]})


def test_a_block_without_experts_between_those_that_have_them_is_passed_over():
    model = kind_model(Family.decoder, "qwen3_moe", decoder_sparse_step=2)
    assert structure_of(model, Family.decoder).expert_parameters(["expert_output"]) == [
        "model.layers.1.mlp.experts.down_proj"
    ]
