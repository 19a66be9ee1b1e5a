"""Fused projections: split, they compute what they did; methods reach queries, keys and values, and nothing else."""

import pytest
import torch
from bitsandbytes.functional import dequantize_4bit
from bitsandbytes.nn import Linear4bit
from torch import nn
from transformers.pytorch_utils import Conv1D

from bench.configuration.compose import build
from bench.configuration.schema import Family, ModelConfig
from bench.errors import UnsupportedError
from bench.metering.parameters import plan_parameters
from bench.methods.base import Method
from bench.models.auto_classes import AUTO_CLASSES
from bench.models.families import structure_of
from bench.models.fused import SplitProjection, fuse, split_fused
from bench.models.fused_rows import cut
from bench.models.head import Head
from bench.models.quantisation import quantise, settle
from scripts.model_kinds import kind_model
from scripts.support import why_not
from tests.tiny import HIDDEN, Adapted, logits_of, settings_of, tiny_batch, tiny_config


def some_slow(*fast, slow):
    return [*fast, *(pytest.param(value, marks=pytest.mark.slow) for value in slow)]


FUSED = ("modernbert", "phi3", "gpt2", "gpt_neox", "bloom", "falcon")
# Falcon's other forms: a head of keys for each of queries, and for each two of them.
FALCONS = {
    "falcon, own keys": {"multi_query": False},
    "falcon, grouped": {"new_decoder_architecture": True, "num_kv_heads": 2, "num_ln_in_parallel_attn": 1},
}
ALL = (*FUSED, *FALCONS)
LEFT_WHOLE = some_slow("bitfit", "mam", "peft", slow=("full", "adapter_s", "prompt_tuning"))
NOT_SPELT_OUT = ("dtype", "problem_type", "id2label", "label2id")  # in an architecture
QUERY_AND_VALUE = {"encoder": ["query", "value"], "decoder": ["query", "value"]}


def family_of(kind):
    return Family.encoder if kind == "modernbert" else Family.decoder


def model_of(kind, **changes):
    if kind in FUSED and not changes:
        return kind_model(family_of(kind), kind).eval()
    torch.manual_seed(7)
    config = tiny_config("decoder", model_type=kind.partition(",")[0], **(FALCONS.get(kind, {}) | changes))
    if kind not in ("phi3", "gpt_bigcode"):
        del config.num_key_value_heads
    return AUTO_CLASSES[Family.decoder].from_config(config).eval()


def attention_of(model, kind):
    return next(structure_of(model, family_of(kind)).attentions)


def close(one, other):
    torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


def results_of(model, path, batch):
    """What the module at `path` gives."""
    found = []
    (module,) = (module for name, module in model.named_modules() if name.endswith(path))
    handle = module.register_forward_hook(lambda _, inputs, output: found.append(output.detach()))
    logits_of(model, batch)
    handle.remove()
    return found[0]


@pytest.mark.parametrize("kind", ALL)
def test_split_it_computes_what_it_did_and_fused_again_it_is_what_it_was(kind):
    model, batch = model_of(kind), tiny_batch(family_of(kind))
    before, state = logits_of(model, batch), {name: t.clone() for name, t in model.state_dict().items()}
    structure = structure_of(model, family_of(kind))
    split_fused(model, structure, structure.paths(["query"]))
    assert all(isinstance(model.get_submodule(a.fused), SplitProjection) for a in structure.attentions)
    assert all(type(model.get_submodule(path)) is nn.Linear for path in structure.paths(["query", "key", "value"]))
    close(logits_of(model, batch), before)
    fuse(model)
    assert isinstance(model.get_submodule(attention_of(model, kind).fused), Conv1D) == (kind == "gpt2")
    assert model.state_dict().keys() == state.keys()
    assert all(torch.equal(tensor, state[name]) for name, tensor in model.state_dict().items())
    close(logits_of(model, batch), before)


@pytest.mark.parametrize("kind", [kind for kind in ALL if kind != "modernbert"])
def test_keys_and_values_are_those_that_the_model_itself_keeps(kind):
    """In its cache; at the first position rotary embeddings turn nothing."""
    model, ids = model_of(kind), tiny_batch("decoder")["input_ids"][:1]
    structure, attention = structure_of(model, Family.decoder), attention_of(model, kind)
    split_fused(model, structure, [attention.key])
    split = model.get_submodule(attention.fused)
    found = {}
    for name in ("key", "value"):
        split.get_submodule(name).register_forward_hook(lambda _, x, y, name=name: found.update({name: y.detach()}))
    with torch.no_grad():
        layer = model(input_ids=ids, use_cache=True).past_key_values.layers[0]
    for name, kept in (("key", layer.keys), ("value", layer.values)):
        own = found[name][0, 0].view(-1, HIDDEN // 4)
        close(own.repeat_interleave(kept.shape[1] // len(own), dim=0), kept[0, :, 0])


def test_modernberts_queries_keys_and_values_are_thirds():
    """As its forward pass unbinds them; scores are products of queries and keys, results sums of values."""
    model, batch = model_of("modernbert"), tiny_batch("encoder")
    structure, attention = structure_of(model, Family.encoder), attention_of(model, "modernbert")
    thirds = model.get_submodule(attention.fused).weight.detach().clone().chunk(3)
    split_fused(model, structure, [attention.key])
    split, before = model.get_submodule(attention.fused), logits_of(model, batch)
    assert all(torch.equal(part.weight, third) for part, third in zip(split.children(), thirds, strict=True))
    split.query.weight.data.mul_(2)
    split.key.weight.data.div_(2)
    close(logits_of(model, batch), before)
    split.value.weight.data.zero_()
    assert not results_of(model, attention.output, batch).any()


@pytest.mark.parametrize("kind", some_slow("gpt2", "falcon, grouped", slow=("phi3", "gpt_neox")))
def test_lora_on_queries_and_values_leaves_keys_bit_equal(kind):
    adapted = Adapted(settings_of("lora") | {"sites": QUERY_AND_VALUE}, "decoder", base=model_of(kind))
    attention, batch = attention_of(model_of(kind), kind), tiny_batch("decoder")
    before = results_of(adapted.model, attention.fused, batch)
    for name, parameter in adapted.model.named_parameters():
        if "lora_B" in name:
            nn.init.normal_(parameter)
    after = results_of(adapted.model, attention.fused, batch)
    rows = cut((before != after).flatten(0, 1).any(0), attention.rows)
    assert [part.all().item() for part in rows] == [True, False, True]
    assert not rows[1].any()


@pytest.mark.parametrize("kind", ["gpt2", "bloom"])
def test_ia3_on_keys_and_values_scales_these_and_leaves_queries_bit_equal(kind):
    sites = {"sites": {"decoder": ["key", "value"]}, "input_sites": {"decoder": []}}
    adapted = Adapted(settings_of("ia3") | sites, "decoder", base=model_of(kind))
    attention, batch = attention_of(model_of(kind), kind), tiny_batch("decoder")
    before = results_of(adapted.model, attention.fused, batch)
    for name, parameter in adapted.model.named_parameters():
        if f"{attention.fused}." in name and "ia3_l" in name:
            parameter.data.fill_(3.0)
    query, key, value = cut(
        (results_of(adapted.model, attention.fused, batch) / before).flatten(0, 1).T, attention.rows
    )
    assert torch.equal(query, torch.ones_like(query))
    close(key, torch.full_like(key, 3.0))
    close(value, torch.full_like(value, 3.0))


def planned(family, architecture, method, **changes):
    eager = {"attention": "eager"} if architecture["model_type"] == "bloom" else {}
    base = ModelConfig(name="tiny", title="tiny", family=family, architecture=architecture, **eager)
    head = Head(2) if family == Family.encoder else None
    return plan_parameters(base, build(settings_of(method) | changes, Method), head, 20, 9)


@pytest.mark.parametrize("kind", some_slow("phi3", "falcon", slow=("modernbert", "gpt2", "gpt_neox", "bloom")))
def test_counts_are_those_of_separate_projections_and_plan_and_run_agree(kind):
    d, r, layers, keys = HIDDEN, 4, 2, {"phi3": 32, "falcon": 16}.get(kind, HIDDEN)
    family, model = family_of(kind), model_of(kind)
    own = {key: value for key, value in model.config.to_dict().items() if key not in NOT_SPELT_OUT}
    key_value = {"sites": {family: ["key", "value"]}, "input_sites": {family: []}}
    for method, changes, count in (
        ("lora", {"sites": {family: ["query", "value"]}}, layers * r * (d + d + d + keys)),
        ("adalora", {}, layers * (4 * (d + d + d + keys) + 2 * 4)),
        ("ia3", key_value, layers * 2 * keys),
        ("propelt_lora", {}, (1 + layers) * r * (d + d + d + keys)),
    ):
        plan = planned(family, own, method, **changes)
        assert plan.trainable - plan.head == count, method
        adapted = Adapted(settings_of(method) | changes, family, base=model_of(kind))
        trained = sum(p.numel() for p in adapted.model.parameters() if p.requires_grad)
        assert trained - adapted.method.held_count(adapted.model) == plan.trainable, method


def test_phi3_counts_what_llama_of_its_sizes_does():
    sizes = {key: value for key, value in tiny_config("decoder").to_dict().items() if key not in NOT_SPELT_OUT}
    for method, changes in (("lora", {"sites": QUERY_AND_VALUE}), ("adalora", {}), ("propelt_lora", {}), ("mam", {})):
        counts = [
            planned(Family.decoder, sizes | {"model_type": kind}, method, **changes).method
            for kind in ("phi3", "llama")
        ]
        assert counts[0] == counts[1], method


@pytest.mark.parametrize("kind", some_slow("gpt2", slow=("modernbert", "phi3", "gpt_neox")))
def test_a_prefix_is_attended_to_alike_by_both_attentions(kind):
    """Each makes a mask of its own kind."""
    results = []
    for attention in ("sdpa", "eager"):
        model = model_of(kind)
        model.set_attn_implementation(attention)
        adapted = Adapted(settings_of("mam"), family_of(kind), base=model)
        results.append(logits_of(adapted.model, tiny_batch(family_of(kind))))
    close(*results)
    assert (results[0] - logits_of(model_of(kind), tiny_batch(family_of(kind)))).abs().max() > 0.1


# Keeps its promises: gradients, storing, merging; `tests/models/test_support.py` tries one more method of each kind.
@pytest.mark.parametrize(("method", "kind"), [("lora", "gpt2"), ("ia3", "falcon")])
def test_a_method_keeps_its_promises(method, kind):
    assert why_not(method, Family.decoder, kind) is None


@pytest.mark.parametrize("name", LEFT_WHOLE)
def test_a_method_that_asks_for_no_part_leaves_it_whole(name):
    settings = settings_of("peft/any" if name == "peft" else name)
    if name == "peft":
        settings = settings | {"settings": {"type": "LORA", "r": 4, "target_modules": ["query_key_value"]}}
    adapted = Adapted(settings, "decoder", base=model_of("gpt_neox"))
    assert not any(isinstance(module, SplitProjection) for module in adapted.model.modules())


def test_the_librarys_tuners_sit_on_queries_and_values_by_default():
    settings = settings_of("peft/any") | {"settings": {"type": "LOHA", "r": 4}}
    adapted = Adapted(settings, "decoder", base=model_of("gpt2"))
    trained = {
        name.split(".c_attn.")[1].split(".")[0] for name, p in adapted.model.named_parameters() if p.requires_grad
    }
    assert trained == {"query", "value"}


def test_composed_with_bitfit_every_bias_is_trained_once():
    parts = {"first": settings_of("bitfit"), "second": settings_of("lora")}
    adapted = Adapted(settings_of("compose") | {"parts": parts}, "decoder", base=model_of("gpt_neox"))
    alone = [Adapted(part, "decoder", base=model_of("gpt_neox")) for part in parts.values()]
    counts = [sum(p.numel() for p in one.model.parameters() if p.requires_grad) for one in (adapted, *alone)]
    assert counts[0] == counts[1] + counts[2]


def test_dtype_and_gradients_are_kept():
    model = model_of("gpt2").to(torch.bfloat16)
    structure, attention = structure_of(model, Family.decoder), attention_of(model, "gpt2")
    model.get_submodule(attention.fused).weight.requires_grad_(False)
    split_fused(model, structure, structure.paths(["value"]))
    for part in model.get_submodule(attention.fused).children():
        assert (part.weight.dtype, part.weight.requires_grad, part.bias.requires_grad) == (torch.bfloat16, False, True)
    fuse(model)
    fused = model.get_submodule(attention.fused)
    assert (fused.weight.dtype, fused.weight.requires_grad, fused.bias.requires_grad) == (torch.bfloat16, False, True)


@pytest.mark.parametrize("kind", ["gpt_neox", "phi3"])
def test_in_four_bits_it_is_cut_without_a_change_of_any_weight(kind):
    model = model_of(kind)
    structure, attention = structure_of(model, Family.decoder), attention_of(model, kind)
    quantise(model, structure.linears)
    settle(model)
    packed = model.get_submodule(attention.fused).weight
    whole = cut(dequantize_4bit(packed.data, packed.quant_state), attention.rows)
    split_fused(model, structure, [attention.value])
    for part, values in zip(model.get_submodule(attention.fused).children(), whole, strict=True):
        assert isinstance(part, Linear4bit)
        assert torch.equal(dequantize_4bit(part.weight.data, part.weight.quant_state), values)


def test_rows_that_are_not_whole_blocks_of_four_bits_are_refused():
    model = model_of("gpt_neox", hidden_size=32)
    structure = structure_of(model, Family.decoder)
    quantise(model, structure.linears)
    with pytest.raises(UnsupportedError, match="a row of 32 weights is not whole blocks of 64"):
        split_fused(model, structure, structure.paths(["value"]))


def test_sizes_that_do_not_add_up_are_one_clear_line():
    model = model_of("phi3")
    model.model.layers[0].self_attn.num_key_value_heads = 1
    words = r"model.layers.0.self_attn.qkv_proj has 128 rows, which are not those of 4 heads of queries and 1 of keys"
    for method in ("lora", "propelt_lora", "ia3"):
        with pytest.raises(UnsupportedError, match=words) as caught:
            Adapted(settings_of(method), "decoder", base=model)
        assert "\n" not in str(caught.value)
    with pytest.raises(UnsupportedError, match=words):
        Adapted(settings_of("mam"), "decoder", base=model)
    Adapted(settings_of("full"), "decoder", base=model)


def test_of_a_type_whose_order_is_not_known_a_part_is_refused():
    """GPT-BigCode is built like GPT-2, and gives queries, keys and values head by head where there are several."""
    model = model_of("gpt_bigcode", n_embd=HIDDEN, n_head=4, n_layer=2, n_positions=64, multi_query=False)
    assert attention_of(model, "gpt_bigcode").fused is not None
    with pytest.raises(UnsupportedError, match="in which order is not known of gpt_bigcode"):
        Adapted(settings_of("lora"), "decoder", base=model)


@pytest.mark.slow
@pytest.mark.parametrize("kind", FUSED)
@pytest.mark.parametrize("method", ["lora", "adalora", "ia3", "propelt_lora", "bitfit", "mam", "propelt_prefix"])
def test_every_method_that_needs_parts_is_to_be_had(method, kind):
    reason = why_not(method, family_of(kind), kind)
    takes_no_prefix = method in ("mam", "propelt_prefix") and kind in ("bloom", "falcon")
    assert (reason is None) != takes_no_prefix, reason
