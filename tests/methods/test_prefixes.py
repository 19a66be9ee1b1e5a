"""Prefixes in keys and values against attention in plain tensor operations; all families, sdpa and eager."""

import itertools

import pytest
import torch

from bench.configuration.schema import Family
from bench.errors import UserError
from bench.models.auto_classes import AUTO_CLASSES
from tests.tiny import Adapted, logits_of, settings_of, tiny_batch, tiny_config, tiny_model

FAMILIES = ["encoder", "encoder_decoder", "decoder"]
MAM_PREFIX = "prefix"


def prefixed(family, name="mam", **changes):
    adapted = Adapted(settings_of(name), family, base=tiny_model(family, **changes))
    with torch.no_grad():  # large enough to be seen
        for key, parameter in adapted.model.named_parameters():
            if ".prefix." in key and "mask" not in key:
                parameter.mul_(3)
    return adapted.model.eval()


def heads(x, size):
    return x.view(*x.shape[:-1], -1, size).transpose(-3, -2)


def attend(query, key, value, prefix, *, scale, bias, allowed):
    """softmax(q [P_k; K]ᵀ · scale + bias) [P_v; V]; everything `(batch, heads, tokens, size)`."""
    size = query.shape[-1]
    prefix_keys, prefix_values = (heads(table, size).expand(len(query), -1, -1, -1) for table in prefix)
    groups = query.shape[1] // key.shape[1]
    keys = torch.cat([prefix_keys, key], 2).repeat_interleave(groups, 1)
    values = torch.cat([prefix_values, value], 2).repeat_interleave(groups, 1)
    length = prefix_keys.shape[2]
    scores = query @ keys.transpose(2, 3) * scale
    scores[..., length:] += bias
    scores[..., length:] = scores[..., length:].masked_fill(~allowed, float("-inf"))
    return (scores.softmax(-1) @ values).transpose(1, 2).flatten(2)


@pytest.mark.parametrize("name", ["mam", "propelt_prefix"])
@pytest.mark.parametrize("implementation", ["sdpa", "eager"])
def test_of_an_encoder(name, implementation):
    core = prefixed("encoder", name, attn_implementation=implementation).roberta.encoder.layer[0].attention.self
    x = torch.randn(2, 6, 64)
    allowed = torch.ones(2, 1, 6, 6, dtype=torch.bool)
    allowed[1, ..., 4:] = False
    q, k, v = (heads(linear(x), 16) for linear in (core.query, core.key, core.value))
    expected = attend(q, k, v, core.prefix(), scale=16**-0.5, bias=0, allowed=allowed)
    mask = allowed if implementation == "sdpa" else torch.zeros(allowed.shape).masked_fill(~allowed, -1e30)
    assert torch.allclose(core(x, mask)[0], expected, atol=1e-5)


@pytest.mark.parametrize("implementation", ["sdpa", "eager"])
def test_of_t5_with_a_position_bias_of_zero_at_the_prefix(implementation):
    core = prefixed("encoder_decoder", attn_implementation=implementation).decoder.block[0].layer[0].SelfAttention
    x = torch.randn(2, 6, 64)
    allowed = torch.ones(6, 6, dtype=torch.bool).tril()[None, None]
    q, k, v = (heads(linear(x), 16) for linear in (core.q, core.k, core.v))
    bias = core.compute_bias(6, 6)
    expected = attend(q, k, v, core.prefix(), scale=1.0, bias=bias, allowed=allowed) @ core.o.weight.T
    mask = allowed if implementation == "sdpa" else torch.zeros(allowed.shape).masked_fill(~allowed, -1e30)
    assert torch.allclose(core(x, mask)[0], expected, atol=1e-5)
    assert core(x, mask)[1].shape == bias.shape  # what is handed to the next layer is the text's alone


@pytest.mark.parametrize("implementation", ["sdpa", "eager"])
def test_of_a_decoder_prefix_keys_are_not_rotated_and_positions_do_not_shift(implementation):
    from transformers.models.llama.modeling_llama import apply_rotary_pos_emb

    model = prefixed("decoder", attn_implementation=implementation)
    core, x = model.model.layers[0].self_attn, torch.randn(2, 6, 64)
    positions = model.model.rotary_emb(x, torch.arange(6)[None])
    allowed = torch.ones(6, 6, dtype=torch.bool).tril()[None, None]
    q, k, v = (heads(linear(x), 16) for linear in (core.q_proj, core.k_proj, core.v_proj))
    q, k = apply_rotary_pos_emb(q, k, *positions)
    expected = attend(q, k, v, core.prefix(), scale=16**-0.5, bias=0, allowed=allowed) @ core.o_proj.weight.T
    mask = allowed if implementation == "sdpa" else torch.zeros(allowed.shape).masked_fill(~allowed, -1e30)
    assert torch.allclose(core(x, positions, mask)[0], expected, atol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_both_implementations_agree(family):
    batch = tiny_batch(family)
    first, second = (logits_of(prefixed(family, attn_implementation=kind), batch) for kind in ("sdpa", "eager"))
    assert torch.allclose(first, second, atol=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
def test_padding_on_the_right_changes_nothing(family):
    model, batch = prefixed(family), tiny_batch(family)
    row = {key: value[1:2] for key, value in batch.items()}
    short = row | {"input_ids": row["input_ids"][:, :5], "attention_mask": row["attention_mask"][:, :5]}
    if family == "decoder":
        short["labels"] = row["labels"][:, :5]
    with torch.no_grad():
        long, cut = model(**row).logits, model(**short).logits
    long = long[:, :5] if family == "decoder" else long
    assert torch.allclose(long, cut, atol=1e-5)


GENERATING = ["mam", "propelt_prefix", "propelt_adapter", "adapter_s", "adapter_parallel"]


# On decoders prefix tuning lies in the cache itself.
@pytest.mark.parametrize(
    ("family", "name"),
    [*itertools.product(["encoder_decoder", "decoder"], GENERATING), ("encoder_decoder", "prefix_tuning")],
)
def test_generation_with_the_cache_is_generation_without(family, name):
    model = prefixed(family, name)
    prompt = {key: value[:1, :6] for key, value in tiny_batch(family).items() if key != "labels"}
    options = {"max_new_tokens": 8, "min_new_tokens": 8, "do_sample": False}
    cached, plain = (model.generate(**prompt, **options, use_cache=use) for use in (True, False))
    assert torch.equal(cached, plain)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_model_without_prefixes_attends_as_ever_through_the_same_functions(family):
    torch.manual_seed(0)
    plain = tiny_model(family)
    through = tiny_model(family)
    through.set_attn_implementation("prefixed_sdpa")
    batch = tiny_batch(family)
    assert torch.allclose(logits_of(plain, batch), logits_of(through, batch), atol=1e-5)


def test_other_attention_is_refused():
    from bench.errors import UnsupportedError
    from bench.methods.shared.prefixed_attention import use_prefixed_attention

    model = AUTO_CLASSES[Family.encoder].from_config(tiny_config("encoder"))
    model.config._attn_implementation_internal = "flash_attention_2"
    with pytest.raises(UnsupportedError, match="sdpa or eager"):
        use_prefixed_attention(model)


# Layers of encoder and decoder, width of a head: even, odd, unequal numbers, heads that do not span the hidden size.
SHAPES = [(2, 2, 16), (4, 4, 16), (3, 3, 16), (2, 5, 16), (2, 2, 32), (1, 2, 8)]


@pytest.mark.parametrize(("encoder", "decoder", "head"), SHAPES)
def test_prefix_tuning_of_an_encoder_decoder_trains_every_counted_value_of_every_layer(encoder, decoder, head):
    base = tiny_model("encoder_decoder", num_layers=encoder, num_decoder_layers=decoder, d_kv=head)
    adapted = Adapted(settings_of("prefix_tuning"), "encoder_decoder", base=base)
    trained = {name: p for name, p in adapted.model.named_parameters() if p.requires_grad}
    assert len(trained) == 2 * (encoder + 2 * decoder)
    assert sum(p.numel() for p in trained.values()) == (encoder + 2 * decoder) * 2 * 4 * 4 * head
    adapted.model(**tiny_batch("encoder_decoder")).loss.backward()
    assert all(bool(p.grad.ne(0).all()) for p in trained.values())


def test_prefix_tuning_of_an_encoder_decoder_attends_to_its_tables():
    core = prefixed("encoder_decoder", "prefix_tuning").decoder.block[1].layer[1].EncDecAttention
    x, states = torch.randn(2, 6, 64), torch.randn(2, 5, 64)
    q, k, v = heads(core.q(x), 16), heads(core.k(states), 16), heads(core.v(states), 16)
    allowed = torch.ones(1, 1, 6, 5, dtype=torch.bool)
    expected = attend(q, k, v, (core.prefix.keys, core.prefix.values), scale=1.0, bias=0, allowed=allowed)
    assert torch.allclose(core(x, allowed, states)[0], expected @ core.o.weight.T, atol=1e-5)


@pytest.mark.parametrize("chosen", [["encoder"], ["decoder"], ["decoder", "cross"]])
def test_the_attentions_that_get_a_prefix_can_be_chosen(chosen):
    adapted = Adapted(settings_of("prefix_tuning") | {"attentions": {"encoder_decoder": chosen}}, "encoder_decoder")
    trained = [name for name, p in adapted.model.named_parameters() if p.requires_grad]
    kinds = {"cross" if "EncDec" in name else name.split(".")[0] for name in trained}
    assert kinds == set(chosen)


@pytest.mark.parametrize(
    ("attentions", "words"),
    [
        ({"encoder_decoder": ["decodr"]}, "did you mean decoder"),
        ({"encoder_decoder": []}, "names no attention"),
        ({"encoder": ["encoder"]}, "one kind of attention"),
        ({}, "says nothing of the family"),
    ],
)
def test_attentions_that_are_not_there_are_one_clear_line(attentions, words):
    with pytest.raises(UserError, match=words) as caught:
        Adapted(settings_of("prefix_tuning") | {"attentions": attentions}, "encoder_decoder")
    assert "\n" not in str(caught.value)


def test_two_prefixes_in_one_attention_are_refused():
    parts = [settings_of("mam")["parts"]["prefix"], settings_of("mam")["parts"]["prefix"] | {"name": "other"}]
    with pytest.raises(UserError, match="same attention"):
        Adapted(settings_of("compose") | {"parts": parts}, "encoder")
    parts[1] = settings_of("prefix_tuning")
    with pytest.raises(UserError, match="same attention"):
        Adapted(settings_of("compose") | {"parts": parts}, "encoder_decoder")


@pytest.mark.parametrize("below", ["lora", "adalora"])
def test_prefix_tuning_of_an_encoder_decoder_lies_over_other_methods(below):
    adapted = Adapted(
        settings_of("compose") | {"parts": [settings_of(below), settings_of("prefix_tuning")]}, "encoder_decoder"
    )
    losses = adapted.train(4)
    assert losses[-1] < losses[0]
