"""`model.structure=discover`: the structure of a model is found by looking, or refused in one line."""

from dataclasses import replace

import pytest
import torch
import yaml

from bench.configuration.schema import Family
from bench.errors import UnsupportedError, UserError
from bench.models.auto_classes import AUTO_CLASSES
from bench.models.declared import DISCOVER, as_mapping, entry_of
from bench.models.discover import discover
from bench.models.families import structure_of
from bench.models.found import pasteable
from scripts.model_kinds import KINDS, kind_model
from tests.tiny import Adapted, settings_of, tiny_config

QUICK = ("bert", "t5", "gpt2", "deberta-v2")  # post-norm, two stacks, fused and transposed, attention spelt out
PAIRS = [
    pytest.param(family, kind, id=kind, marks=[] if kind in QUICK else pytest.mark.slow)
    for family, kinds in KINDS.items()
    for kind in kinds
    if kind != "mamba"
]


def empty(family, kind, **changes):
    with torch.device("meta"):
        return AUTO_CLASSES[family].from_config(tiny_config(family, model_type=kind, **changes))


def to_be_found(structure):
    """Without names of norms, which are for messages, the order in a fused projection, and parameters of experts."""
    whole = {"query": None, "key": None, "value": None, "rows": None, "why_whole": None}
    return [
        replace(
            block,
            attentions=tuple(replace(one, **whole) if one.fused else one for one in block.attentions),
            feed_forward=block.feed_forward and replace(block.feed_forward, norms=()),
            experts=(),
        )
        for block in structure.known
    ]


@pytest.mark.parametrize(("family", "kind"), PAIRS)
def test_what_is_found_is_what_the_built_in_entry_says(family, kind):
    model = kind_model(family, kind)
    known, found = structure_of(model, family), structure_of(model, family, DISCOVER)
    assert to_be_found(found) == to_be_found(known)
    assert (found.head, found.hidden_size, found.transposed) == (known.head, known.hidden_size, known.transposed)


REFUSED = [
    (Family.decoder, "mamba", {}, "no module of it attends"),
    (Family.encoder, "mobilebert", {}, "has 4 feed-forwards"),
    (Family.decoder, "deepseek_v3", {}, "come from one layer, model.layers.0.self_attn.kv_b_proj"),
    (Family.decoder, "falcon_h1", {}, "mamba.in_proj is a linear layer of neither attention nor feed-forward"),
    (Family.encoder, "canine", {}, "it has 3 lists of layers"),
    (Family.encoder, "roberta-prelayernorm", {}, "the norms of .* are attention, intermediate, output"),
    (Family.encoder, "xmod", {}, "does not run without values: ValueError: Input language unknown"),
]


@pytest.mark.parametrize(("family", "kind", "changes", "reason"), REFUSED, ids=[kind for _, kind, *_ in REFUSED])
def test_what_is_not_clear_is_refused_in_a_line_that_says_what(family, kind, changes, reason):
    with pytest.raises(UserError, match=f"model.structure=discover.*{reason}") as caught:
        structure_of(empty(family, kind, **changes), family, DISCOVER)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["glm4", "qwen2_moe"])
def test_the_lines_that_are_printed_read_the_model_as_it_was_found(kind):
    model = empty(Family.decoder, kind)
    lines = yaml.safe_load(pasteable(as_mapping(as_found := discover(model, Family.decoder))))["structure"]
    assert replace(entry_of(lines, Family.decoder), name=as_found.name) == as_found
    assert structure_of(model, Family.decoder, lines) == structure_of(model, Family.decoder, DISCOVER)


def test_looking_changes_neither_the_model_nor_the_random_state():
    model, state = kind_model(Family.decoder, "llama"), torch.get_rng_state()
    structure_of(model, Family.decoder, DISCOVER)
    assert torch.equal(torch.get_rng_state(), state)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())
    assert model.config._attn_implementation == "sdpa"


@pytest.mark.parametrize("name", ["adapter_pfeiffer", "mam"])
def test_methods_that_need_places_inside_train_on_a_type_without_an_entry(name):
    torch.manual_seed(0)
    model = AUTO_CLASSES[Family.decoder].from_config(tiny_config("decoder", model_type="starcoder2"))
    with pytest.raises(UnsupportedError):
        list(structure_of(model, Family.decoder).feed_forwards)
    structure = structure_of(model, Family.decoder, DISCOVER)
    losses = Adapted(settings_of(name), "decoder", base=model, structure=structure).train(4)
    assert losses[-1] < losses[0]
