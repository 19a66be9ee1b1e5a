"""Prefix tuning: trained keys and values of virtual tokens in every layer.

Li and Liang 2021, https://arxiv.org/abs/2101.00190; code: XiangLi1999/PrefixTuning.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from inspect import signature
from types import SimpleNamespace
from typing import Any

import peft
from torch import Tensor, nn

from bench.configuration.schema import Family
from bench.errors import UnsupportedError, UserError
from bench.methods.base import NO_DIFFERENCES, Setting
from bench.methods.prefix import FoldingTable, NetworkPrefix, PrefixNetwork, TablePrefix, key_width, kinds
from bench.methods.shared.peft_library import PromptLearning, innermost, task_type
from bench.methods.shared.prefixed_attention import ATTENTION_LIMIT, ROW_LIMIT, put_prefix, use_prefixed_attention
from bench.methods.shared.ranges import at_least_one, one_of
from bench.methods.trainable import freeze
from bench.models.structure import Attention

DIRECT: tuple[str, ...] = ("P is trained directly, as the peft library does by default, and not through a network",)


class AttentionKind(StrEnum):
    """The attentions of an encoder-decoder."""

    encoder = "encoder"
    decoder = "decoder"
    cross = "cross"

    @classmethod
    def of(cls, attention: Attention) -> "AttentionKind":
        """Which of them one is."""
        return cls.cross if attention.is_cross else cls(attention.stack)


class NetworkEncoder(nn.Module):
    """The prefixes of all layers in the place of the library's table of them, given by a network."""

    def __init__(self, network: PrefixNetwork) -> None:
        super().__init__()
        self.table = FoldingTable(network)

    @property
    def embedding(self) -> Any:
        """What the library asks for the place of its weights."""
        return SimpleNamespace(weight=self.table.table) if self.table.network is None else self.table.network.embedding

    def forward(self, tokens: Tensor) -> Tensor:
        """`(batch, length)` to `(batch, length, outputs)`."""
        table: Tensor = self.table()
        return table.expand(len(tokens), -1, -1)


@dataclass(kw_only=True)
class PrefixTuning(PromptLearning):
    """softmax(q [P_k; K]ᵀ) [P_v; V] in every layer, P trained directly or through a network.

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
        inner: width of the inner layer of a network, P = Linear(tanh(Linear(E))), which gives way to P once training is
            over, as in the paper, section 4.3; null: P itself is trained.
    """

    attentions: dict[str, list[str]]
    inner: int | None = None

    why_not_identity = "every token attends to the prefix from the start"
    attention_limit, row_limit = ATTENTION_LIMIT, ROW_LIMIT
    formula = "softmax(q [P_k; K]ᵀ) [P_v; V]"
    where = "the keys and values of every self-attention (T5: of cross-attention too)"
    trains = "P"
    differences = DIRECT

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.inner is not None:
            at_least_one(inner=self.inner)
            self.differences = NO_DIFFERENCES
        for family, named in self.attentions.items():
            if family != Family.encoder_decoder:
                raise UserError(f"method.attentions.{family}: there is but one kind of attention in this family")
            if not named:
                raise UserError(f"method.attentions.{family} names no attention; leave some of encoder, decoder, cross")
            for kind in named:
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
            return self._through_network(super().apply(model, setting), setting)
        freeze(model)
        base = innermost(model)
        use_prefixed_attention(base)
        for attentions in kinds(setting.structure):
            if AttentionKind.of(attentions[0]) in self.attentions[setting.family]:
                for attention, prefix in zip(attentions, self._prefixes(base, attentions, setting), strict=True):
                    put_prefix(base.get_submodule(attention.core), prefix)
        return model

    def _through_network(self, wrapped: nn.Module, setting: Setting) -> nn.Module:
        """Put a network in the place of the library's table; a network of its own it would keep for good."""
        if self.inner is not None:
            encoders: Any = wrapped.prompt_encoder
            weight = encoders["default"].embedding.weight
            hidden, outputs = setting.structure.hidden_size, weight.shape[1]
            network = PrefixNetwork(self.num_virtual_tokens, hidden, self.inner, outputs, weight.device)
            encoders["default"] = NetworkEncoder(network)
        return wrapped

    def _prefixes(self, base: nn.Module, attentions: list[Attention], setting: Setting) -> Iterator[nn.Module]:
        """Of one kind of attention: tables, or columns of a network."""
        width, device = key_width(base, attentions[0]), next(base.parameters()).device
        if self.inner is None:
            return (TablePrefix(self.num_virtual_tokens, width, device) for _ in attentions)
        outputs = 2 * width * len(attentions)
        hidden = setting.structure.hidden_size
        network = PrefixNetwork(self.num_virtual_tokens, hidden, self.inner, outputs, device)
        return (NetworkPrefix(network, index, width) for index in range(len(attentions)))

    def peft_config(self, setting: Setting) -> peft.PeftConfig:
        """PrefixTuningConfig without the library's network."""
        return peft.PrefixTuningConfig(task_type=task_type(setting), num_virtual_tokens=self.num_virtual_tokens)


def _check_cache(title: str, model: Any) -> None:
    """Refuse a model that cannot be given keys and values of earlier tokens, which is how the library prefixes them."""
    if not any("past_key_values" in signature(part.forward).parameters for part in (model, model.base_model)):
        raise UnsupportedError(f"{title} on {type(model).__name__}: it takes no keys and values of earlier tokens")
