"""Any set of {LoRA, (IA)³, adapters, prefix, prompt, BitFit, norms}, and what is further inside where that matters."""

import itertools

import pytest
import torch

from bench.errors import UnsupportedError, UserError
from bench.methods.shared.bottleneck import ParallelAdapter, SequentialAdapter
from bench.methods.shared.peft_library import innermost
from bench.methods.trainable import trainable_parameters
from tests.tiny import HIDDEN, Adapted, logits_of, settings_of, tiny_batch, tiny_model

FAMILIES = ("encoder", "encoder_decoder", "decoder")
KINDS = {
    "lora": "lora", "ia3": "ia3", "adapter": "adapter_s", "prompt": "prompt_tuning", "bitfit": "bitfit",
    "norms": "ln_tuning", "parallel": "adapter_parallel", "pfeiffer": "adapter_pfeiffer", "dora": "dora",
    "prefix_tuning": "prefix_tuning", "adalora": "adalora",
}  # fmt: skip
SEVEN = ("lora", "ia3", "adapter", "prefix", "prompt", "bitfit", "norms")


def mixture(*names, order=(), **changes):
    """The settings of a composition of these kinds; `changes` by part."""
    parts = {
        name: (settings_of("mam")["parts"]["prefix"] if name == "prefix" else settings_of(KINDS[name]))
        | changes.get(name, {})
        for name in names
    }
    return settings_of("compose") | {"parts": parts, "order": list(order)}


def drawn(adapted):
    """Let nothing that is trained be at its start; a network of the right size everywhere."""
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for _, parameter in trainable_parameters(adapted.model):
            parameter.copy_(0.3 * torch.randn(parameter.shape, generator=generator))
    return adapted


@pytest.mark.parametrize("family", FAMILIES)
def test_every_pair_and_all_seven_run_and_all_that_is_trained_has_a_part_in_the_loss(family):
    for names in [*itertools.combinations(SEVEN, 2), SEVEN]:
        adapted = Adapted(mixture(*names, order=("lora", "ia3") if {"lora", "ia3"} <= {*names} else ()), family)
        adapted.model(**tiny_batch(family)).loss.backward()
        idle = [name for name, p in trainable_parameters(adapted.model) if p.requires_grad and p.grad is None]
        assert not idle, names


@pytest.mark.parametrize("where", ["output", "input"])
@pytest.mark.parametrize("order", [("lora", "ia3"), ("ia3", "lora")], ids="+".join)
def test_the_scale_comes_before_or_after_the_low_rank_update_as_declared(order, where):
    sites = {"sites": {"encoder": ["value"]}}
    inputs = {"input_sites": {"encoder": ["value"] if where == "input" else []}}
    adapted = drawn(Adapted(mixture("lora", "ia3", order=order, lora=sites, ia3=sites | inputs), "encoder"))
    path = next(iter(adapted.setting.structure.attentions)).value
    layer = innermost(adapted.model).get_submodule(path)
    linear = tiny_model("encoder").get_submodule(path)
    found = {name.split(".default")[0].split(".")[-1]: p for name, p in layer.named_parameters() if "default" in name}
    scale, a, b = found["ia3_l"].flatten(), found["lora_A"], found["lora_B"]
    alpha = settings_of("lora")["alpha"]
    rank = alpha["encoder"] / len(a) if isinstance(alpha, dict) else alpha / len(a)
    x = torch.randn(3, HIDDEN)

    def update(x):
        return rank * x @ a.T @ b.T

    expected = {
        ("lora", "ia3", "output"): scale * (linear(x) + update(x)),
        ("ia3", "lora", "output"): scale * linear(x) + update(x),
        ("lora", "ia3", "input"): linear(scale * x) + update(scale * x),
        ("ia3", "lora", "input"): linear(scale * x) + update(x),
    }
    layer.eval()
    assert torch.allclose(layer(x), expected[*order, where], atol=1e-4)
    others = [value for key, value in expected.items() if key != (*order, where)]
    assert all((layer(x) - other).abs().max() > 1e-2 for other in others)


@pytest.mark.parametrize("order", [("adalora", "ia3"), ("ia3", "adalora")], ids="+".join)
def test_a_doubled_scale_doubles_adalora_s_update_only_where_it_lies_beneath(order):
    adapted = drawn(Adapted(mixture(*order, order=order), "encoder"))
    path = next(iter(adapted.setting.structure.attentions)).value
    layer = innermost(adapted.model).get_submodule(path).eval()
    linear = tiny_model("encoder").get_submodule(path)
    (scale,) = [p for name, p in layer.named_parameters() if "ia3_l" in name]
    x = torch.randn(3, HIDDEN)
    with torch.no_grad():
        scale.fill_(1)
        once = layer(x)
        scale.fill_(2)
        twice = layer(x)
    assert (once - linear(x)).abs().max() > 1e-3
    assert torch.allclose(twice - once, once if order[0] == "adalora" else linear(x), atol=1e-4)


@pytest.mark.parametrize("order", [("adapter", "parallel"), ("parallel", "adapter")], ids="+".join)
def test_of_two_adapters_behind_a_branch_the_second_sees_the_first_as_declared(order):
    family = "encoder_decoder"
    adapted = drawn(Adapted(mixture("adapter", "parallel", order=order), family))
    site = next(iter(adapted.setting.structure.feed_forwards))
    branch = adapted.model.get_submodule(site.total).eval()
    bare = tiny_model(family).get_submodule(site.total)
    (sequential,) = [m.bottleneck for m in branch.modules() if isinstance(m, SequentialAdapter)]
    (parallel,) = [m for m in branch.modules() if isinstance(m, ParallelAdapter)]
    x = torch.randn(2, 5, HIDDEN)
    h, beside = bare(x) - x, parallel.scale * parallel.bottleneck(x)
    expected = {
        ("adapter", "parallel"): h + sequential(h) + beside,
        ("parallel", "adapter"): h + beside + sequential(h + beside),
    }
    for declared, value in expected.items():
        assert torch.allclose(branch(x), x + value, atol=1e-4) == (declared == order)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_prompt_is_read_behind_the_prefix_and_in_front_of_the_text(family):
    adapted = drawn(Adapted(mixture("prompt", "prefix"), family))
    batch = tiny_batch(family)
    expected = logits_of(adapted.model, batch)
    base = innermost(adapted.model).eval()  # with its prefix, without the prompt
    prompt = next(p for name, p in adapted.model.named_parameters() if "prompt_encoder" in name)
    count = len(prompt)
    text = base.get_input_embeddings()(batch["input_ids"])
    embedded = torch.cat([prompt.expand(len(text), -1, -1), text], dim=1)
    mask = torch.cat([torch.ones(len(text), count, dtype=torch.long), batch["attention_mask"]], dim=1)
    labels = {"labels": batch["labels"]} if family == "encoder_decoder" else {}
    with torch.no_grad():
        logits = base(inputs_embeds=embedded, attention_mask=mask, **labels).logits
    if family == "decoder":
        logits = logits[:, count:][batch["attention_mask"] == 1]
    assert torch.allclose(logits, expected, atol=1e-4)


def test_a_norms_bias_that_two_methods_train_is_trained_once():
    pair, alone = Adapted(mixture("bitfit", "norms"), "encoder"), Adapted(settings_of("bitfit"), "encoder")
    norms = [m for m in alone.model.modules() if isinstance(m, torch.nn.LayerNorm)]
    gains = sum(norm.weight.numel() for norm in norms)
    assert pair.method.trained_count(pair.model) == alone.method.trained_count(alone.model) + gains


@pytest.mark.parametrize(
    ("names", "family", "words"),
    [
        (("lora", "ia3"), "encoder", r"both act on .*value and 1 more.*method.order=\[lora,ia3\] or \[ia3,lora\]"),
        (("adapter", "parallel"), "decoder", r"say method.order=\[adapter,parallel\] or \[parallel,adapter\]"),
        (("adapter", "parallel"), "encoder", r"say method.order=\[adapter,parallel\], the innermost first"),
        (("parallel", "pfeiffer"), "decoder", r"say method.order=\[parallel,pfeiffer\], the innermost first"),
    ],
)  # fmt: skip
def test_an_order_that_matters_has_to_be_declared(names, family, words):
    for given in (names, names[::-1]):
        with pytest.raises(UserError, match=words if given == names else "method.order=") as caught:
            Adapted(mixture(*given), family)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("names", "order", "words"),
    [
        (("lora", "adapter"), ("adapter", "lora"), "'lora' takes the place of the base's layers and 'adapter' acts on"),
        (("ia3", "bitfit"), ("ia3", "bitfit"), "'bitfit' is a part of the base's own weights"),
        (("adapter", "parallel"), ("parallel", "adapter"), r"'adapter' is always further inside in this model"),
        (("adapter", "pfeiffer"), ("pfeiffer", "adapter"), r"say method.order=\[adapter,pfeiffer\]"),
        (("lora", "ia3"), ("lora", "ia4"), "unknown part in method.order 'ia4'; did you mean ia3"),
        (("lora", "ia3"), ("lora", "lora"), "names 'lora' twice"),
    ],
)
def test_an_order_that_cannot_be_had_is_refused(names, order, words):
    with pytest.raises(UserError, match=words) as caught:
        Adapted(mixture(*names, order=order), "encoder")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("names", "family", "words"),
    [
        (("dora", "ia3"), "encoder", "cannot be had together; take one of them, or give it other sites"),
        (("prefix_tuning", "prompt"), "decoder", "take bench.methods.prefix.Prefix in its place"),
        (("prefix_tuning", "lora"), "encoder", "cannot do it over LoRA"),
    ],
)
def test_what_the_library_cannot_put_over_each_other_is_refused(names, family, words):
    with pytest.raises(UnsupportedError, match=words):
        Adapted(mixture(*names), family)


def test_a_declared_order_does_nothing_where_nothing_is_shared():
    batch, outputs = tiny_batch("encoder"), []
    for order in ((), ("lora", "ia3"), ("ia3", "lora")):
        sites = {"sites": {"encoder": ["query"]}}
        adapted = Adapted(mixture("lora", "ia3", order=order, lora=sites), "encoder")
        with torch.no_grad():
            for name, parameter in trainable_parameters(adapted.model):
                if "default" in name:
                    parameter.copy_(torch.linspace(-0.1, 0.1, parameter.numel()).view(parameter.shape))
        outputs.append(logits_of(adapted.model, batch))
    assert torch.allclose(outputs[0], outputs[1], atol=1e-6)
    assert torch.allclose(outputs[0], outputs[2], atol=1e-6)
