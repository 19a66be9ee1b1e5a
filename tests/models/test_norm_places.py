"""Decoders that are built like LLaMA but have their norms elsewhere: read rightly, or refused where it matters."""

import pytest
import torch

from bench.configuration.schema import Family
from bench.errors import UnsupportedError
from bench.models.auto_classes import AUTO_CLASSES
from bench.models.families import structure_of
from bench.models.structure import NormPlace
from tests.tiny import Adapted, settings_of, tiny_batch, tiny_config

BEFORE, AROUND, AFTER, UNKNOWN = NormPlace.before, NormPlace.around, NormPlace.after_branch, NormPlace.unknown
# transformers' model_type, what differs from the tiny LLaMA, and where its norms are.
KINDS = [
    ("llama", {}, BEFORE), ("mistral", {}, BEFORE), ("qwen3", {"head_dim": 16}, BEFORE), ("olmo", {}, BEFORE),
    ("gemma", {"head_dim": 32}, BEFORE), ("smollm3", {}, BEFORE), ("stablelm", {}, BEFORE),
    ("gemma2", {"head_dim": 16}, AROUND), ("gemma3_text", {"head_dim": 32}, AROUND),
    ("hyperclovax", {"use_post_norm": True, "residual_multiplier": 1.0}, AROUND),
    ("hyperclovax", {"use_post_norm": False, "residual_multiplier": 1.0}, BEFORE),
    ("olmo2", {}, AFTER), ("olmo3", {}, AFTER), ("exaone4", {}, AFTER),
    ("stablelm", {"use_parallel_residual": True}, UNKNOWN), ("cohere", {}, UNKNOWN),
]  # fmt: skip
IDS = [f"{kind}-{place.name}" for kind, _, place in KINDS]


def decoder(kind, changes):
    torch.manual_seed(3)
    config = tiny_config("decoder", model_type=kind, attn_implementation="eager", **changes)
    model = AUTO_CLASSES[Family.decoder].from_config(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model.eval()


def keeping(seen, path):
    """A hook that keeps what a module was given and what it gave."""

    def keep(module, inputs, output):
        seen[path] = inputs[0], output[0] if isinstance(output, tuple) else output

    return keep


@pytest.mark.parametrize(("kind", "changes", "place"), KINDS, ids=IDS)
def test_what_is_read_is_what_a_pass_does(kind, changes, place):
    """Against the tensors of a pass: x in and out of the norm, in and out of the branch, the sum."""
    model = decoder(kind, changes)
    structure = structure_of(model, Family.decoder)
    for block in structure.blocks:
        site, seen = block.feed_forward, {}
        assert site.place == place
        if place == UNKNOWN:
            assert site.norm is None
            continue
        for path in {site.norm, site.branch, site.total, *(f"{block.path}.{norm}" for norm in site.norms)} - {None}:
            model.get_submodule(path).register_forward_hook(keeping(seen, path))
        with torch.no_grad():
            model(**tiny_batch("decoder"))
        (given, h), (_, total) = seen[site.branch], seen[site.total]
        x = given
        if site.norm is not None:
            x, normed = seen[site.norm]
            assert given is normed
        behind = [out for path, (into, out) in seen.items() if path not in (site.branch, site.total) and into is h]
        assert len(behind) == (place in (AROUND, AFTER))
        assert torch.allclose(total, x + (behind or [h])[0], atol=1e-5)


READING_ONE = ["adapter_pfeiffer", "propelt_adapter"]
FREE = [
    "full",
    "lora",
    "adapter_s",
    "bitfit",
    "mam",
    "prefix_tuning",
    "prompt_tuning",
    "propelt_lora",
    "child_tuning_f",
]


@pytest.mark.parametrize("kind", ["gemma2", "olmo2", "cohere"])
@pytest.mark.parametrize("name", [*READING_ONE, *FREE, "adapter_parallel"])
def test_a_method_trains_on_it_or_names_what_it_misses(kind, name):
    changes = {"head_dim": 16} if kind == "gemma2" else {}
    model = decoder(kind, changes)
    if (kind, name) in {
        ("olmo2", "adapter_pfeiffer"), ("olmo2", "propelt_adapter"), ("cohere", "adapter_pfeiffer"),
        ("cohere", "propelt_adapter"), ("cohere", "adapter_parallel"), ("cohere", "mam"),
    }:  # fmt: skip
        with pytest.raises(UnsupportedError, match="norm") as caught:
            Adapted(settings_of(name), "decoder", base=model)
        assert "input_layernorm" in str(caught.value) or "post_feedforward_layernorm" in str(caught.value)
        return
    adapted = Adapted(settings_of(name), "decoder", base=model)
    before = {key: p.detach().clone() for key, p in adapted.model.named_parameters() if p.requires_grad}
    losses = adapted.train(4)
    assert losses[-1] < losses[0]
    assert all(not torch.equal(adapted.model.get_parameter(key), value) for key, value in before.items())


def test_pfeiffers_adapter_reads_through_the_norm_before_the_feed_forward_of_a_sandwich():
    """The one that `post_attention_layernorm` is elsewhere: silenced, the adapters learn all the same."""
    model = decoder("gemma2", {"head_dim": 16})
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "post_attention_layernorm" in name:
                parameter.fill_(-1.0)  # Gemma scales by 1 + weight
    adapted = Adapted(settings_of("adapter_pfeiffer"), "decoder", base=model)
    start = {k: p.detach().clone() for k, p in adapted.model.named_parameters() if k.endswith("down.weight")}
    adapted.train(2)
    assert len(start) == 2
    assert all(not torch.equal(adapted.model.get_parameter(key), value) for key, value in start.items())
