"""Methods together: MAM is one of many pairs."""

import itertools

import pytest
import torch
from safetensors.torch import load_file, save_file

from bench.errors import UserError
from tests.tiny import Adapted, logits_of, settings_of, tiny_batch, tiny_model

PARTS = ["lora", "ia3", "bitfit", "adapter_s", "adapter_parallel", "adalora", "prompt_tuning"]


def together(*names):
    parts = [settings_of(name) for name in names]
    order = next((list(pair) for pair in ORDERED if {*pair} <= {*names}), [])
    return settings_of("compose") | {"parts": parts, "order": order}


def prefix():
    return settings_of("mam")["parts"]["prefix"]


ORDERED = (("lora", "ia3"), ("ia3", "adalora"), ("adapter_s", "adapter_parallel"))  # act on the same places
PAIRS = [pair for pair in itertools.combinations(PARTS, 2) if pair != ("lora", "adalora")]


@pytest.mark.parametrize("names", PAIRS, ids="+".join)
def test_any_pair_trains_what_its_parts_train_and_comes_back(names, tmp_path):
    family = "encoder"
    pair = Adapted(together(*names), family)
    alone = [Adapted(settings_of(name), family) for name in names]
    head = 64 * 64 + 64 + 2 * 64 + 2
    counted = sum(part.method.trained_count(part.model) - head for part in alone)
    assert pair.method.trained_count(pair.model) == counted + head
    losses = pair.train(6)
    assert losses[-1] < losses[0]
    batch = tiny_batch(family)
    expected = logits_of(pair.model, batch)
    save_file(pair.method.stored_state(pair.model), tmp_path / "pair.safetensors")
    fresh = Adapted(together(*names), family, seed=3)
    fresh.method.load_stored_state(fresh.model, load_file(tmp_path / "pair.safetensors"))
    assert (logits_of(fresh.model, batch) - expected).abs().max() < 1e-6


@pytest.mark.parametrize("names", [("lora", "bitfit"), ("bitfit", "ia3"), ("bitfit", "adalora")], ids="+".join)
def test_mergeable_parts_merge(names):
    pair = Adapted(together(*names), "encoder")
    pair.train(3)
    batch = tiny_batch("encoder")
    expected = logits_of(pair.model, batch)
    merged = pair.method.merge(pair.model, pair.setting)
    assert type(merged) is type(tiny_model("encoder"))
    assert (logits_of(merged, batch) - expected).abs().max() < 1e-4


def test_the_order_of_the_list_does_not_matter():
    batch = tiny_batch("encoder")
    outputs = []
    for parts in ([settings_of("adapter_parallel"), prefix()], [prefix(), settings_of("adapter_parallel")]):
        adapted = Adapted(settings_of("compose") | {"parts": parts}, "encoder")
        with torch.no_grad():
            for _, parameter in sorted(adapted.model.named_parameters()):
                if parameter.requires_grad:
                    parameter.copy_(torch.linspace(-0.1, 0.1, parameter.numel()).view(parameter.shape))
        outputs.append(logits_of(adapted.model, batch))
    assert torch.allclose(*outputs, atol=1e-6)


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ([], "two or more"),
        (["lora"], "two or more"),
        (["lora", "lora"], "two parts are called 'lora'"),
        (["lora", "full"], "full"),
        (["lora", "adalora"], "take one"),
        (["lora", "peft/any"], "take one"),  # of type LORA in these tests
        (["lora", "mam"], "hybrid"),
        (["lora", "propelt_lora"], "unified"),
    ],
)
def test_mistakes_are_one_clear_line(parts, words):
    with pytest.raises(UserError, match=words) as caught:
        Adapted(together(*parts), "encoder")
    assert "\n" not in str(caught.value)


def test_child_tuning_composes_with_an_adapter():
    pair = Adapted(together("child_tuning_d", "adapter_s"), "encoder")
    before = {name: parameter.detach().clone() for name, parameter in pair.model.named_parameters()}
    pair.train(3)
    entries = {name: mask for group in pair.method.parameter_groups(pair.model) for name, mask in group.entries.items()}
    assert entries
    for name, mask in entries.items():
        assert torch.equal(pair.model.get_parameter(name)[~mask], before[name][~mask])
