"""Prefix tuning: trained keys and values of virtual tokens in every layer.

Li and Liang 2021, https://arxiv.org/abs/2101.00190; code: XiangLi1999/PrefixTuning.
"""

from dataclasses import dataclass
from enum import StrEnum
from inspect import signature
from typing import Any

import peft
import torch
from torch import Tensor, nn

from bench.configuration.schema import Family
from bench.errors import UnsupportedError, UserError
from bench.methods.base import Setting
from bench.methods.prefix import key_width
from bench.methods.shared.peft_library import PromptLearning, innermost, task_type
from bench.methods.shared.prefixed_attention import ATTENTION_LIMIT, ROW_LIMIT, put_prefix, use_prefixed_attention
from bench.methods.shared.ranges import one_of
from bench.methods.trainable import freeze
from bench.models.structure import Attention


class AttentionKind(StrEnum):
    """The attentions of an encoder-decoder."""

    encoder = "encoder"
    decoder = "decoder"
    cross = "cross"

    @classmethod
    def of(cls, attention: Attention) -> "AttentionKind":
        """Which of them one is."""
        return cls.cross if attention.is_cross else cls(attention.stack)


class TablePrefix(nn.Module):
    """The prefix of one attention, trained directly: keys and values `(length, width)`, N(0, 1) as in peft."""

    def __init__(self, length: int, width: int, device: torch.device) -> None:
        super().__init__()
        self.keys = nn.Parameter(torch.randn(length, width, device=device))
        self.values = nn.Parameter(torch.randn(length, width, device=device))

    def forward(self) -> tuple[Tensor, Tensor]:
        """Both."""
        return self.keys, self.values


@dataclass(kw_only=True)
class PrefixTuning(PromptLearning):
    """softmax(q [P_k; K]ᵀ) [P_v; V] in every layer, P trained directly.

    On encoders and decoders through the peft library, which puts the prefix into the cache of keys and values. So it
    cannot be had together with gradient checkpointing, which turns the cache off; where positions are absolute or
    rotary, the text's positions come after those of the prefix.

    On encoder-decoders the prefixes are our own. The library cuts its table as if every decoder layer took four parts
    of it, keys and values of self- and of cross-attention, and then drops those of cross-attention (peft 0.21,
    `PeftModel.get_prompt`): half of the table is never read, and with an even number of layers half of the layers share
    the prefixes of the other half. Here every attention named has keys and values of its own, `2 · length · width`
    parameters each. The authors (`seq2seq/prefixTuning.py`: `use_encoder_prefix`, `use_cross_prefix`) give one to all
    three kinds; the library's intention, the decoder's self-attention alone, is `attentions=[decoder]`.

    Attributes:
        attentions: by family, which attentions get a prefix: of an encoder-decoder some of `encoder`, `decoder` and
            `cross`; the other families have one kind.
    """

    attentions: dict[str, list[str]]

    why_not_identity = "every token attends to the prefix from the start"
    attention_limit, row_limit = ATTENTION_LIMIT, ROW_LIMIT
    formula = "softmax(q [P_k; K]ᵀ) [P_v; V]"
    where = "the keys and values of every self-attention (T5: of cross-attention too)"
    trains = "P"
    differences = ("P is trained directly, as the peft library does by default, and not through a network",)

    def __post_init__(self) -> None:
        super().__post_init__()
        for family, kinds in self.attentions.items():
            if family != Family.encoder_decoder:
                raise UserError(f"method.attentions.{family}: there is but one kind of attention in this family")
            if not kinds:
                raise UserError(f"method.attentions.{family} names no attention; leave some of encoder, decoder, cross")
            for kind in kinds:
                one_of(AttentionKind, attentions=kind)

    def check(self, setting: Setting) -> None:
        """Attentions are named where there are several; no gradient checkpointing where the prefix is in the cache."""
        super().check(setting)
        if setting.family == Family.encoder_decoder:
            if setting.family not in self.attentions:
                raise UserError(f"method.attentions says nothing of the family '{setting.family}'")
        elif setting.gradient_checkpointing:
            raise UnsupportedError(
                "prefix tuning keeps its prefix in the cache of keys and values, which gradient checkpointing turns "
                "off; use training.gradient_checkpointing=false"
            )

    def apply(self, model: nn.Module, setting: Setting) -> nn.Module:
        """Wrap the model, or give the attentions of an encoder-decoder their tables."""
        if setting.family != Family.encoder_decoder:
            assert setting.structure.blocks, "it has attentions"
            _check_cache(self.title, innermost(model))
            return super().apply(model, setting)
        freeze(model)
        base = innermost(model)
        use_prefixed_attention(base)
        device = next(base.parameters()).device
        for attention in setting.structure.attentions:
            if AttentionKind.of(attention) in self.attentions[setting.family]:
                table = TablePrefix(self.num_virtual_tokens, key_width(base, attention), device)
                put_prefix(base.get_submodule(attention.core), table)
        return model

    def peft_config(self, setting: Setting) -> peft.PeftConfig:
        """PrefixTuningConfig without the reparameterising network."""
        return peft.PrefixTuningConfig(task_type=task_type(setting), num_virtual_tokens=self.num_virtual_tokens)


def _check_cache(title: str, model: Any) -> None:
    """Refuse a model that cannot be given keys and values of earlier tokens, which is how the library prefixes them."""
    if not any("past_key_values" in signature(part.forward).parameters for part in (model, model.base_model)):
        raise UnsupportedError(f"{title} on {type(model).__name__}: it takes no keys and values of earlier tokens")
