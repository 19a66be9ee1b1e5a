"""Attention masks of a batch whose padding the host knows: the same as those that transformers makes by asking."""

from contextlib import nullcontext

import pytest
import torch
from transformers import masking_utils

from bench.models.padding_mask import padding_of
from tests.tiny import Adapted, settings_of, tiny_batch, tiny_model

FAMILIES = ("encoder", "encoder_decoder", "decoder")


def batch_of(family, padded):
    batch = tiny_batch(family)
    if not padded:
        batch["attention_mask"] = torch.ones_like(batch["attention_mask"])
    return batch


@pytest.fixture
def asked(monkeypatch):
    """The masks whose values transformers has asked for."""
    masks = []

    def watch(name):
        original = getattr(masking_utils, name)

        def watched(padding_mask, *arguments, **options):
            masks.extend([] if padding_mask is None else [padding_mask])
            return original(padding_mask, *arguments, **options)

        monkeypatch.setattr(masking_utils, name, watched)

    watch("_ignore_causal_mask_sdpa")
    watch("_ignore_bidirectional_mask_sdpa")
    return masks


@pytest.mark.parametrize("padded", [True, False])
@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("method", ["bitfit", "prefix_tuning", "prompt_tuning"])
@pytest.mark.parametrize("family", FAMILIES)
def test_the_loss_is_the_same_to_the_last_bit_and_no_mask_is_asked(family, method, attention, padded, asked):
    model = Adapted(settings_of(method), family, base=tiny_model(family, attn_implementation=attention)).model.eval()
    losses = []
    for told in (nullcontext(), padding_of(batch_of(family, padded))):
        asked.clear()
        with told:
            losses.append(model(**batch_of(family, padded)).loss)
    assert torch.equal(*losses)
    assert not asked


def test_what_one_batch_says_ends_with_it(asked):
    model, batch = Adapted(settings_of("bitfit"), "decoder").model.eval(), batch_of("decoder", padded=True)
    with padding_of(batch_of("decoder", padded=False)):
        pass
    expected = model(**batch).loss
    assert asked
    with pytest.raises(ZeroDivisionError), padding_of(batch_of("decoder", padded=False)):
        raise ZeroDivisionError
    assert torch.equal(model(**batch).loss, expected)


def test_a_batch_on_a_device_or_without_a_mask_says_nothing(asked):
    model, batch = Adapted(settings_of("bitfit"), "decoder").model.eval(), batch_of("decoder", padded=True)
    with padding_of({"attention_mask": batch["attention_mask"].to("meta")}), padding_of({}):
        model(**batch)
    assert asked
