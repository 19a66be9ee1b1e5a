"""Texts one behind the other in a row: the loss and the gradients of the same texts in a padded batch."""

import pytest
import torch
from transformers import modeling_flash_attention_utils
from transformers.integrations import flash_attention

from bench.configuration.schema import Family
from bench.data.example import Flattening, Padding
from bench.errors import UnsupportedError
from bench.models import padding_mask
from bench.models.padding_free import KEPT_APART, check_kept_apart
from bench.models.padding_mask import padding_of
from scripts.model_kinds import KINDS, kind_model
from tests.tiny import tiny_config

DECODERS = KINDS[Family.decoder]
LENGTHS = (9, 4, 7, 1, 5)  # tokens
REFUSED = {"opt", "bloom", "falcon", "mamba"}


def texts():
    generator = torch.Generator().manual_seed(1)
    ids = [torch.randint(3, 60, (length,), generator=generator).tolist() for length in LENGTHS]
    return [{"input_ids": text, "labels": [-100] * (len(text) // 2 + 1) + text[len(text) // 2 + 1 :]} for text in ids]


def loss_and_gradients(model, batch):
    model.zero_grad()
    with padding_of(batch):
        loss = model(**batch).loss
    loss.backward()
    return loss.item(), {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


def assert_same(model, kind="sdpa"):
    """Whatever attends to padded batches, by `kind` to the flat one."""
    loss, gradients = loss_and_gradients(model, Padding(0)(texts()))
    model.config._attn_implementation = kind
    flat_loss, flat_gradients = loss_and_gradients(model, Flattening()(texts()))
    assert flat_loss == pytest.approx(loss, abs=2e-6)
    assert gradients.keys() == flat_gradients.keys()
    largest = max(gradient.abs().max() for gradient in gradients.values())
    for name, gradient in gradients.items():
        assert torch.allclose(flat_gradients[name], gradient, rtol=1e-4, atol=1e-5 * float(largest)), name


def attention_of(kind):
    return "eager" if kind == "gemma2" else "sdpa"  # whose class has no other


@pytest.mark.parametrize("kind", sorted(KEPT_APART))
def test_loss_and_gradients_are_those_of_a_padded_batch(kind):
    model = kind_model(Family.decoder, kind).train()
    assert_same(model, attention_of(kind))


@pytest.mark.parametrize("kind", ["llama", "qwen3", "gpt2", "gpt_neox", "gemma"])
def test_they_are_with_eager_attention(kind):
    model = kind_model(Family.decoder, kind).train()
    model.set_attn_implementation("eager")
    assert_same(model, "eager")


@pytest.mark.parametrize("kind", ["gemma3_text", "mistral", "qwen2"])
def test_windows_are_counted_within_each_text(kind):
    window = {"sliding_window": 3} | ({"use_sliding_window": True, "max_window_layers": 1} if kind == "qwen2" else {})
    assert_same(kind_model(Family.decoder, kind, **window).train())


def attend_each(query, key, value, *, cu_seqlens_q, cu_seqlens_k, window=None, scale=None, softcap=None, **_):
    """flash-attn's function of several texts in a row, by its documentation: `(tokens, heads, width)` each."""
    assert torch.equal(cu_seqlens_q, cu_seqlens_k)
    results = []
    for begin, end in zip(cu_seqlens_q[:-1].tolist(), cu_seqlens_q[1:].tolist(), strict=True):
        own, keys, values = (tensor[begin:end].transpose(0, 1) for tensor in (query, key, value))
        repeats = len(own) // len(keys)
        keys, values = keys.repeat_interleave(repeats, dim=0), values.repeat_interleave(repeats, dim=0)
        scores = own @ keys.transpose(1, 2) * (scale or own.shape[-1] ** -0.5)
        scores = softcap * torch.tanh(scores / softcap) if softcap else scores
        distance = torch.arange(end - begin)[:, None] - torch.arange(end - begin)[None]
        seen = (distance >= 0) & (distance < (window or end))
        results.append((scores.masked_fill(~seen, float("-inf")).softmax(dim=-1) @ values).transpose(0, 1))
    return torch.cat(results)


@pytest.fixture
def flash(monkeypatch):
    """In place of the package's kernels, which need a GPU: the calls that transformers makes of them."""
    calls = []

    def several(*tensors, **options):
        calls.append(options)
        return attend_each(*tensors, **options)

    def options_of(**given):
        assert given["is_causal"]
        named = {"window": "sliding_window", "scale": "softmax_scale", "softcap": "softcap"}
        longest = {name: given[name] for name in ("max_seqlen_q", "max_seqlen_k")}
        return longest | {name: given[key] for name, key in named.items()}

    functions = (None, several, None, None, None), (options_of, None)
    monkeypatch.setattr(modeling_flash_attention_utils, "lazy_import_flash_attention", lambda _: functions)
    monkeypatch.setattr(flash_attention, "get_target_dtype", lambda *_: None)  # of 16 bits, which no CPU needs
    return calls


@pytest.mark.parametrize("kind", sorted(KEPT_APART))
def test_flash_attention_is_told_where_each_text_begins(kind, flash):
    model = kind_model(Family.decoder, kind).train()
    assert_same(model, "flash_attention_2")
    assert len(flash) == model.config.num_hidden_layers
    for call in flash:
        assert call["cu_seqlens_q"].tolist() == [0, 9, 13, 20, 21, 26]
        assert (call["max_seqlen_q"], call["max_seqlen_k"]) == (9, 9), "numbers of the host, which waits for none"


@pytest.mark.parametrize("kind", sorted(DECODERS.keys() - KEPT_APART))
def test_other_types_are_not_offered_as_their_texts_would_see_each_other(kind):
    with pytest.raises(UnsupportedError, match=f"'{kind}' are not known to keep"):
        check_kept_apart(Family.decoder, tiny_config("decoder", model_type=kind))
    model = kind_model(Family.decoder, kind).train()
    first, second = Padding(0)(texts()), Flattening()(texts())
    assert abs(loss_and_gradients(model, first)[0] - loss_and_gradients(model, second)[0]) > 1e-4


def test_the_types_are_tried_and_no_others():
    assert DECODERS.keys() == KEPT_APART | REFUSED


def test_nothing_is_asked_of_the_device(monkeypatch):
    model, batch = kind_model(Family.decoder, "llama").train(), Flattening()(texts())
    monkeypatch.setattr(padding_mask, "find_packed_sequence_indices", None)
    with padding_of(batch):
        model(**batch)
    with pytest.raises(TypeError):  # whoever is told nothing asks
        model(**batch)


def test_one_text_needs_no_mask(monkeypatch):
    model, batch = kind_model(Family.decoder, "llama").train(), Flattening()(texts()[:1])
    masks = []
    monkeypatch.setattr(model.model.layers[0], "forward", lambda *_, attention_mask, **__: masks.append(attention_mask))
    with padding_of(batch), pytest.raises(AttributeError):
        model(**batch)
    assert masks == [None]
