"""Tiny models with random weights of every kind that the harness knows the inside of, and of some that it does not.

Two layers, four heads, sixty tokens, no dropout. A kind is a `model_type` of transformers.
"""

from typing import Any

import torch
from torch import nn

from bench.configuration.schema import Family
from bench.models.auto_classes import auto_class
from bench.models.last_token import read_last_token
from tests.tiny import HIDDEN, tiny_config

BARTS: dict[str, Any] = {
    "d_model": HIDDEN, "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 4,
    "decoder_attention_heads": 4, "encoder_ffn_dim": 128, "decoder_ffn_dim": 128, "dropout": 0.0,
    "max_position_embeddings": 64, "decoder_start_token_id": 2,
}  # fmt: skip
OWN_HEADS: dict[str, Any] = {"head_dim": 16}
EXPERTS: dict[str, Any] = {
    "num_local_experts": 4,
    "num_experts": 4,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 32,
}
GPT2: dict[str, Any] = {
    "n_embd": HIDDEN, "n_layer": 2, "n_head": 4, "n_positions": 64, "resid_pdrop": 0.0, "embd_pdrop": 0.0,
    "attn_pdrop": 0.0, "num_key_value_heads": None,
}  # fmt: skip
UNGROUPED: dict[str, Any] = {"num_key_value_heads": None}  # their configurations know no such key
DISTILBERT: dict[str, Any] = {
    "dim": HIDDEN, "hidden_dim": 128, "n_layers": 2, "n_heads": 4, "dropout": 0.0, "attention_dropout": 0.0,
    "seq_classif_dropout": 0.0,
}  # fmt: skip
DEBERTA: dict[str, Any] = {
    "relative_attention": True, "position_buckets": 8, "pos_att_type": ["c2p", "p2c"], "share_att_key": True,
    "norm_rel_ebd": "layer_norm", "position_biased_input": False, "type_vocab_size": 0,
}  # fmt: skip

KINDS: dict[Family, dict[str, dict[str, Any]]] = {
    Family.encoder: {
        "bert": {}, "roberta": {}, "xlm-roberta": {}, "electra": {}, "camembert": {}, "mpnet": {},
        "distilbert": DISTILBERT, "albert": {"embedding_size": 32, "classifier_dropout_prob": 0.0},
        "deberta-v2": DEBERTA, "modernbert": {"cls_token_id": 1, "sep_token_id": 2},
    },
    Family.encoder_decoder: {
        "t5": {}, "mt5": {"feed_forward_proj": "gated-gelu"}, "umt5": {}, "bart": BARTS, "marian": BARTS,
        "mbart": BARTS,
        "m2m_100": BARTS | {"encoder_layerdrop": 0.0, "decoder_layerdrop": 0.0}, "pegasus": BARTS,
    },
    Family.decoder: {
        "llama": {}, "mistral": {}, "qwen2": {}, "qwen3": OWN_HEADS, "gemma": OWN_HEADS, "gemma2": OWN_HEADS,
        "gemma3_text": OWN_HEADS, "olmo2": {}, "smollm3": {}, "granite": {}, "phi": {}, "phi3": {},
        "mixtral": EXPERTS, "qwen3_moe": EXPERTS | OWN_HEADS, "gpt2": GPT2, "gpt_neox": UNGROUPED,
        "opt": UNGROUPED | {"ffn_dim": 128, "word_embed_proj_dim": HIDDEN, "dropout": 0.0},
        "bloom": UNGROUPED | {"n_layer": 2, "n_head": 4, "hidden_dropout": 0.0}, "falcon": UNGROUPED, "mamba": {},
    },
}  # fmt: skip
WITHOUT_FUSED = ("deberta-v2", "mpnet", "mamba")  # no fused attention


def kind_model(family: Family, kind: str, **more: Any) -> nn.Module:
    """The same random weights at every call; larger than the initialiser's, so that two layers do something.

    Args:
        family: of the model.
        kind: of it.
        **more: keys of its configuration; with a `problem_type` it has a task head.
    """
    torch.manual_seed(7)
    changes = KINDS[family][kind] | more
    config = tiny_config(family, **{"model_type": kind} | {key: v for key, v in changes.items() if v is not None})
    for key in changes.keys() - {key for key, v in changes.items() if v is not None}:
        delattr(config, key)
    attention = {"attn_implementation": "eager"} if kind in WITHOUT_FUSED else {}
    model: nn.Module = read_last_token(auto_class(family, config).from_config(config, **attention), family)
    for name, parameter in model.named_parameters():
        parameter.data.add_(torch.randn_like(parameter) * (0.02 if "embed" in name or "shared" in name else 0.1))
    return model
