"""Every method on decoders and encoder-decoders with a task head: what it promises elsewhere, or one line that refuses.

That it goes together with an encoder's head is in test_contract.py and test_gradients.py.
"""

import itertools

import pytest
import torch
from safetensors.torch import load_file, save_file

from bench.configuration.compose import build
from bench.configuration.schema import Quantisation
from bench.errors import UnsupportedError
from bench.metering.parameters import count_all, count_parameters
from bench.methods.base import Method
from bench.models.head import head_parameters
from tests.tiny import HEAD, HIDDEN, Adapted, all_methods, logits_of, settings_of, tiny_batch, tiny_model

REFUSED = {("prompt_tuning", "encoder_decoder"): "its decoder reads the text's tokens, and a prompt has none"}
PAIRS = [pair for pair in itertools.product(all_methods(), ["decoder", "encoder_decoder"]) if pair not in REFUSED]
every_pair = pytest.mark.parametrize(("name", "family"), PAIRS, ids=[f"{name}-{family}" for name, family in PAIRS])
SIZES = {"decoder": 2 * HIDDEN, "encoder_decoder": HIDDEN * HIDDEN + HIDDEN + 2 * HIDDEN + 2}


def base_of(name, family, **changes):
    packed = build(settings_of(name), Method).load_options().quantisation == Quantisation.nf4
    # A ReLU would keep gradients from what stands before it.
    smooth = {"feed_forward_proj": "gated-gelu"} if family == "encoder_decoder" else {}
    return tiny_model(family, packed, **HEAD, **smooth, **changes)


def adapted_to(name, family, seed=1):
    return Adapted(settings_of(name), family, seed, base_of(name, family))


@every_pair
def test_the_head_is_counted_once_and_all_that_is_counted_gets_a_gradient_and_is_updated(name, family):
    total = count_all(base_of(name, family))
    adapted = adapted_to(name, family)
    model, method, structure = adapted.model, adapted.method, adapted.setting.structure
    counts = count_parameters(model, method, structure, total)
    assert counts.head == SIZES[family]
    assert counts.base_total == total
    trained = {key: p.detach().clone() for key, p in model.named_parameters() if p.requires_grad}
    assert counts.trainable == sum(p.numel() for p in trained.values()) - method.held_count(model)
    assert {key for key, _ in head_parameters(model, structure)} <= trained.keys()
    frozen = {key: p.detach().clone() for key, p in model.named_parameters() if not p.requires_grad}
    silence, reached = method.on_gradients, set()

    def look(given):
        reached.update(key for key, p in given.named_parameters() if p.grad is not None and p.grad.ne(0).any())
        silence(given)

    method.on_gradients = look
    losses = adapted.train(8)
    assert losses[-1] < losses[0]
    assert trained.keys() - reached == set()
    assert all(torch.equal(model.get_parameter(key), value) for key, value in frozen.items())


@every_pair
def test_what_is_stored_gives_the_same_outputs_on_a_fresh_base(name, family, tmp_path):
    adapted = adapted_to(name, family)
    adapted.train(3)
    batch = tiny_batch(family, seed=5, has_head=True)
    expected = logits_of(adapted.model, batch)
    state = adapted.method.stored_state(adapted.model)
    assert (
        sum(tensor.numel() for key, tensor in state.items() if adapted.setting.structure.is_of_head(key))
        == SIZES[family]
    )
    save_file(state, tmp_path / "trained.safetensors")
    fresh = adapted_to(name, family, seed=2)
    fresh.method.load_stored_state(fresh.model, load_file(tmp_path / "trained.safetensors"))
    # VB-LoRA keeps weights in place of logits, and finds the logits again.
    assert (logits_of(fresh.model, batch) - expected).abs().max() < (1e-5 if name == "vblora" else 1e-6)


@every_pair
def test_it_starts_as_the_bare_model_and_merges_into_its_class_as_it_does_without_a_head(name, family):
    adapted, bare = adapted_to(name, family), base_of(name, family)
    batch = tiny_batch(family, has_head=True)
    difference = (logits_of(adapted.model, batch) - logits_of(bare, batch)).abs().max()
    assert not adapted.method.identity_at_start or difference < 1e-5
    if not adapted.method.mergeable or "bitfit" in str(settings_of(name)):
        return
    adapted.train(3)
    expected = logits_of(adapted.model, batch)
    merged = adapted.method.merge(adapted.model, adapted.setting)
    assert type(merged) is type(bare)
    assert {key for key, _ in merged.named_parameters()} == {
        key for key, _ in base_of("full", family).named_parameters()
    }
    assert (logits_of(merged, batch) - expected).abs().max() < (0.3 if name == "qlora" else 1e-4)


@pytest.mark.parametrize(("pair", "reason"), REFUSED.items())
def test_what_cannot_be_had_is_refused_in_one_line(pair, reason):
    name, family = pair
    with pytest.raises(UnsupportedError) as caught:
        adapted_to(name, family)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["PROMPT_TUNING", "P_TUNING", "PREFIX_TUNING"])
@pytest.mark.parametrize("family", SIZES)
def test_the_librarys_prompts_work_on_a_decoder_and_are_refused_on_an_encoder_decoder(family, kind):
    settings = settings_of("peft/any") | {"settings": {"type": kind, "num_virtual_tokens": 4}}
    if family == "encoder_decoder":
        with pytest.raises(UnsupportedError, match=f"peft.type={kind} on an encoder-decoder") as caught:
            Adapted(settings, family, base=tiny_model(family, **HEAD))
        assert "\n" not in str(caught.value)
        return
    adapted = Adapted(settings, family, base=tiny_model(family, **HEAD))
    losses = adapted.train(8)
    assert losses[-1] < losses[0]
