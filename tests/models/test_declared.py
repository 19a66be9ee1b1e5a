"""`model.structure: {…}`: a user's own entry is read as a built-in one, and refused where it does not fit the model."""

import copy

import pytest
import torch

from bench.configuration.schema import Family
from bench.errors import UserError
from bench.models.auto_classes import AUTO_CLASSES
from bench.models.declared import as_mapping
from bench.models.discover import discover
from bench.models.entries import ENTRIES
from bench.models.families import structure_of
from scripts.model_kinds import kind_model
from tests.tiny import tiny_config

LLAMA = as_mapping(next(entry for entry in ENTRIES if entry.name == "llama"))
PHI3 = as_mapping(next(entry for entry in ENTRIES if entry.name == "phi3"))
ATTENTION, FEED_FORWARD = "stacks.0.attentions.0", "stacks.0.feed_forward"


def decoder(kind="llama", **changes):
    with torch.device("meta"):
        return AUTO_CLASSES[Family.decoder].from_config(tiny_config("decoder", model_type=kind, **changes))


def changed(entry, where, value):
    entry = copy.deepcopy(entry)
    *path, last = where.split(".")
    node = entry
    for key in path:
        node = node[int(key) if key.isdigit() else key]
    node[last] = value
    return entry


def test_an_entry_that_is_written_out_reads_as_the_built_in_one():
    model = decoder()
    assert structure_of(model, Family.decoder, LLAMA) == structure_of(model, Family.decoder)


REFUSED = [
    ("stack", [], "unknown key of model.structure 'stack'; did you mean stacks?"),
    (f"{ATTENTION}.querry", "q", "unknown key of model.structure.stacks[0].attentions[0] 'querry'; did you mean query"),
    (f"{ATTENTION}.query", "self_attn.q_pro", "no model.layers.0.self_attn.q_pro; did you mean model.layers.0.self_at"),
    (f"{ATTENTION}.query", "mlp", "model.layers.0.mlp is no linear layer, it is a LlamaMLP"),
    (f"{ATTENTION}.query", None, "needs query, key and value, or fused"),
    (f"{ATTENTION}.fused", "self_attn.q_proj", "has fused beside query, key or value"),
    (f"{ATTENTION}.key", "self_attn.q_proj", "self_attn.q_proj cannot be two things at once"),
    (f"{ATTENTION}.core", "self_attn.o_proj", "is a linear layer, and attends to nothing"),
    (f"{ATTENTION}.is_cross", "no", "is_cross=no must be true or false"),
    (f"{FEED_FORWARD}.inputs", ["self_attn.k_proj"], "cannot be two things at once"),
    (f"{FEED_FORWARD}.output", "mlp.act_fn", "mlp.act_fn is no linear layer"),
    (f"{FEED_FORWARD}.place", "befor", "unknown model.structure.stacks[0].feed_forward.place 'befor'; did you mean be"),
    (f"{FEED_FORWARD}.norm", "mlp", "model.layers.0.mlp is no norm, it is a LlamaMLP"),
    ("stacks.0.name", "encoder", "a model of family decoder has decoder, not encoder"),
    ("stacks.0.blocks", "layers.0", "stands for one layer; write {} for its number"),
    ("stacks.0.blocks", "layer.{}", "has no model.layer; did you mean model.layers"),
    ("stacks.0.norms", ["input_layernorm"], "the norms of model.layers.0 are input_layernorm, post_attention"),
    ("transposed", True, "model.layers.0.self_attn.q_proj is a Linear; say transposed: false"),
]  # fmt: skip


@pytest.mark.parametrize(("where", "value", "said"), REFUSED, ids=[f"{where}={value}" for where, value, _ in REFUSED])
def test_what_does_not_fit_the_model_is_refused_in_one_line(where, value, said):
    with pytest.raises(UserError) as caught:
        structure_of(decoder(), Family.decoder, changed(LLAMA, where, value))
    assert said in str(caught.value)
    assert "model.structure" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_fused_projection_whose_parts_do_not_add_up():
    entry = changed(PHI3, f"{ATTENTION}.fused", "mlp.gate_up_proj")
    entry = changed(entry, f"{FEED_FORWARD}.inputs", ["self_attn.qkv_proj"])
    with pytest.raises(UserError, match=r"gate_up_proj gives 256 values: no queries of 64 .* in heads of 16"):
        structure_of(decoder("phi3"), Family.decoder, entry)


def test_keys_of_a_size_that_no_heads_of_queries_can_share():
    model = decoder()
    model.model.layers[1].self_attn.k_proj = torch.nn.Linear(64, 48)
    with pytest.raises(UserError, match=r"gives 48 values, of which the 64 of .*self_attn.q_proj are no multiple"):
        structure_of(model, Family.decoder, LLAMA)


def test_as_many_layers_as_the_configuration_has():
    model = decoder()
    del model.model.layers[1]
    with pytest.raises(UserError, match="1 layers are in the decoder, the configuration has num_hidden_layers=2"):
        structure_of(model, Family.decoder, LLAMA)


def test_norms_that_are_not_named_are_whichever_there_are():
    entry = copy.deepcopy(LLAMA)
    del entry["stacks"][0]["norms"]
    (first, _) = structure_of(decoder(), Family.decoder, entry).feed_forwards
    assert first.norms == ("input_layernorm", "post_attention_layernorm")


@pytest.mark.parametrize("kind", ["phi3", "gpt_neox"])
def test_a_fused_projection_is_split_only_where_its_order_is_said(kind):
    """What `discover` prints, pasted, says none: contiguous for one of these, and head by head for the other."""
    model = kind_model(Family.decoder, kind)
    pasted = as_mapping(discover(model, Family.decoder))
    for attention in structure_of(model, Family.decoder, pasted).attentions:
        assert (attention.query, attention.rows) == (None, None)
        assert "in which order is not known" in attention.why_whole
    own = as_mapping(next(entry for entry in ENTRIES if kind in entry.types))
    said = {key: own["stacks"][0]["attentions"][0].get(key) for key in ("order", "key_heads")}
    assert said["order"] == {"phi3": "contiguous", "gpt_neox": "by_head"}[kind]
    pasted["stacks"][0]["attentions"][0] |= said
    known = structure_of(model, Family.decoder)
    assert list(structure_of(model, Family.decoder, pasted).attentions) == list(known.attentions)


def test_an_order_that_is_none_is_refused():
    entry = changed(PHI3, f"{ATTENTION}.order", "by_hand")
    with pytest.raises(UserError, match=r"order 'by_hand'; did you mean by_head"):
        structure_of(decoder("phi3"), Family.decoder, entry)
