"""Prefix tuning: trained keys and values of virtual tokens in every layer.

Li and Liang 2021, https://arxiv.org/abs/2101.00190.
"""

from dataclasses import dataclass

import peft

from bench.configuration.cell import Family
from bench.errors import UnsupportedError
from bench.methods.base import Setting
from bench.methods.shared.peft_library import TASK_TYPES, PromptLearning


@dataclass(kw_only=True)
class PrefixTuning(PromptLearning):
    """softmax(q [P_k; K]ᵀ) [P_v; V] in every layer, P trained directly; for T5 in the decoder's self-attention.

    The library puts the prefix into the cache of keys and values. So it cannot be had together with gradient
    checkpointing, which turns the cache off; where positions are absolute or rotary, the text's positions come after
    those of the prefix.
    """

    why_not_identity = "every token attends to the prefix from the start"
    formula = "softmax(q [P_k; K]ᵀ) [P_v; V]"
    where = "the keys and values of every self-attention (T5: of the decoder)"
    trains = "P"

    def check(self, setting: Setting) -> None:
        """No gradient checkpointing; on T5 heads that span the hidden size."""
        super().check(setting)
        if setting.gradient_checkpointing:
            raise UnsupportedError(
                "prefix tuning keeps its prefix in the cache of keys and values, which gradient checkpointing turns "
                "off; use training.gradient_checkpointing=false"
            )
        structure = setting.structure
        if setting.family == Family.encoder_decoder and structure.attention_width != structure.hidden_size:
            raise UnsupportedError(
                f"the peft library's prefix tuning needs d_model = heads · d_kv; this model has "
                f"{structure.hidden_size} and {structure.attention_width}"
            )

    def peft_config(self, setting: Setting) -> peft.PeftConfig:
        """PrefixTuningConfig without the reparameterising network."""
        return peft.PrefixTuningConfig(task_type=TASK_TYPES[setting.family], num_virtual_tokens=self.num_virtual_tokens)
