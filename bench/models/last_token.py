"""Task heads on decoders and encoder-decoders: what they read is the state of a text's last token.

transformers looks for that token by comparing the input with the padding token (decoders) or the end token
(encoder-decoders; `GenericForSequenceClassification`, `T5ForSequenceClassification`, transformers 5). So it takes
another one where the padding token is also the end token or a token of the text, takes padding itself where it is given
embeddings, as by prompts, and refuses batches where there is no padding token, or where texts differ in end tokens.
Here the attention mask says which token is the last. Where theirs is right, ours is the same.

Padding may stand on either side, but for encoder-decoders with absolute positions (BART): what their encoders make of a
text depends on the column that it begins in. The harness pads on the right.
"""

from functools import cache
from inspect import signature
from typing import Any

import torch
from torch import Tensor
from transformers.modeling_outputs import Seq2SeqSequenceClassifierOutput, SequenceClassifierOutputWithPast
from transformers.utils.generic import can_return_tuple

from bench.configuration.schema import Family
from bench.errors import UnsupportedError, UserError
from bench.models.auto_classes import has_task_head, no_head

HEADS = {Family.decoder: "score", Family.encoder_decoder: "classification_head"}  # what transformers calls them
STARTS_WITH_LAST = ("mbart", "plbart")  # types whose decoder is first given the text's last token, a language's


def read_last_token(model: Any, family: Family) -> Any:
    """Let a decoder's or encoder-decoder's task head read the last token that the attention mask lets through.

    Args:
        model: of transformers' classes, bare, on any device; changed in place. Its class gives way to one of the same
            name that differs in `forward` only. Language models and encoders stay as they are.
        family: of it.

    Returns:
        The model.

    Raises:
        UserError: its task head is of another kind, or nothing says what its decoder starts with.
    """
    if family in HEADS and has_task_head(family, model.config):
        if model.config.is_encoder_decoder != (family == Family.encoder_decoder) or not hasattr(model, HEADS[family]):
            raise no_head(model.config)
        if family == Family.encoder_decoder and _start_token(model.config) is None:
            raise UserError(f"config.json of this {model.config.model_type} model names no decoder_start_token_id")
        model.__class__ = _reading(model.__class__, family)
    return model


def last_positions(mask: Tensor, length: int) -> Tensor:
    """The last position of each text.

    Args:
        mask: `(batch, length or more)`, nought where there is padding; further columns in front are those of a prefix.
        length: of what the model computed.

    Returns:
        `(batch,)`, counted from 0; 0 where nothing is let through.
    """
    columns = torch.arange(length, device=mask.device)
    return (columns * (mask[:, -length:] != 0)).amax(dim=1)


def last_states(states: Tensor, mask: Tensor | None) -> Tensor:
    """The states of each text's last token, `(batch, width)`, out of `(batch, length, width)`; see `last_positions`."""
    if mask is None:
        return states[:, -1]
    last = last_positions(mask, states.shape[1]).to(states.device)
    return states.take_along_dim(last[:, None, None], dim=1).squeeze(1)


def positions(mask: Tensor, length: int) -> Tensor:
    """Each token's position in its own text, `(batch, length)`; those of a prefix count, padding on the left does not.

    Left to itself a model numbers the columns of a batch, and a text would be further from a prefix in a longer batch.
    """
    return ((mask != 0).cumsum(dim=1) - 1).clamp(min=0)[:, -length:]


def shifted(inputs: Tensor, mask: Tensor | None, start: Tensor) -> Tensor:
    """What a decoder is given that reads the encoder's text: a start token, then the text without its last token.

    Args:
        inputs: token ids `(batch, length)`.
        mask: the same shape, nought where there is padding, on whichever side; None where there is none.
        start: the start token, one for all or `(batch, 1)`.
    """
    before = inputs.roll(1, dims=1)
    is_first = torch.zeros_like(inputs, dtype=torch.bool)
    is_first[:, 0] = True
    if mask is not None:
        is_first = is_first | (mask.roll(1, dims=1) == 0)
    return torch.where(is_first, start, before)


@cache
def _takes_positions(kind: Any) -> bool:
    return "position_ids" in signature(kind.forward).parameters


@cache
def _reading(kind: Any, family: Family) -> Any:
    """A class of the same name, place and signature as `kind`, one for all models of it."""
    forward = _decoder_forward if family == Family.decoder else _encoder_decoder_forward

    def named(self: Any, *arguments: Any, **options: Any) -> Any:
        return forward(self, *arguments, **options)

    named.__signature__ = signature(kind.forward)  # type: ignore[attr-defined]  # peft asks it what a model takes
    same = {"__module__": kind.__module__, "__qualname__": kind.__qualname__, "__doc__": kind.__doc__}
    return type(kind.__name__, (kind,), {**same, "forward": named})


@can_return_tuple  # type: ignore[untyped-decorator]
def _decoder_forward(
    self: Any,
    input_ids: Tensor | None = None,
    *,
    attention_mask: Tensor | None = None,
    position_ids: Tensor | None = None,
    labels: Tensor | None = None,
    **others: Any,
) -> SequenceClassifierOutputWithPast:
    """A decoder's logits `(batch, labels)` and, with labels, its loss; see transformers' forward passes."""
    if position_ids is None and attention_mask is not None and _takes_positions(self.base_model.__class__):
        length = others["inputs_embeds"].shape[1] if input_ids is None else input_ids.shape[1]
        position_ids = positions(attention_mask, length)
    if position_ids is not None:
        others["position_ids"] = position_ids
    outputs = self.base_model(input_ids, attention_mask=attention_mask, **others)
    logits = self.score(last_states(outputs.last_hidden_state, attention_mask))
    return SequenceClassifierOutputWithPast(
        loss=_loss(self, logits, labels),
        logits=logits,
        past_key_values=getattr(outputs, "past_key_values", None),  # the first GPT keeps none
        hidden_states=outputs.hidden_states,
        attentions=outputs.attentions,
    )


@can_return_tuple  # type: ignore[untyped-decorator]
def _encoder_decoder_forward(
    self: Any,
    input_ids: Tensor | None = None,
    *,
    attention_mask: Tensor | None = None,
    decoder_input_ids: Tensor | None = None,
    decoder_attention_mask: Tensor | None = None,
    labels: Tensor | None = None,
    **others: Any,
) -> Seq2SeqSequenceClassifierOutput:
    """The same of an encoder-decoder, whose decoder reads the encoder's text unless it is given another."""
    if decoder_input_ids is None:
        if input_ids is None:
            raise UnsupportedError(f"{type(self).__name__} reads a text's tokens, and was given embeddings alone")
        decoder_input_ids = shifted(input_ids, attention_mask, _start(self.config, input_ids, attention_mask))
        decoder_attention_mask = attention_mask
    outputs = self.base_model(
        input_ids,
        attention_mask=attention_mask,
        decoder_input_ids=decoder_input_ids,
        decoder_attention_mask=decoder_attention_mask,
        **(others | {"use_cache": False}),
    )
    logits = self.classification_head(last_states(outputs.last_hidden_state, decoder_attention_mask))
    return Seq2SeqSequenceClassifierOutput(
        loss=_loss(self, logits, labels),
        logits=logits,
        decoder_hidden_states=outputs.decoder_hidden_states,
        decoder_attentions=outputs.decoder_attentions,
        cross_attentions=outputs.cross_attentions,
        encoder_last_hidden_state=outputs.encoder_last_hidden_state,
        encoder_hidden_states=outputs.encoder_hidden_states,
        encoder_attentions=outputs.encoder_attentions,
    )


def _start(config: Any, inputs: Tensor, mask: Tensor | None) -> Tensor:
    if config.model_type not in STARTS_WITH_LAST:
        return inputs.new_full((), _start_token(config))
    return last_states(inputs[..., None], mask)


def _start_token(config: Any) -> Any:
    """None where nothing says it; T5 starts with padding, also where its configuration names no start."""
    own = getattr(config, "decoder_start_token_id", None)
    return config.pad_token_id if own is None else own


def _loss(model: Any, logits: Tensor, labels: Tensor | None) -> Tensor | None:
    if labels is None:
        return None
    loss: Tensor = model.loss_function(logits=logits, labels=labels, pooled_logits=logits, config=model.config)
    return loss
