"""Prefixes in the keys and values of an attention: one mechanism for every family.

transformers' models hand queries, keys and values to an attention function that their configuration names. The ones
registered here put the prefix of the attending module, its child `prefix`, in front of keys and values and call the
original. That is after rotary positions and after the cache: prefix keys are not rotated, the cache holds the text
alone, and no position of the text shifts. The mask lets every token attend to the whole prefix, and T5's relative
position bias is zero there, because a prefix has no place in the text.
"""

import sys
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import eager_mask, sdpa_mask

from bench.errors import UnsupportedError, UserError
from bench.models.padding_mask import told

CHILD = "prefix"
ATTENTION_LIMIT = "prefixes need sdpa or eager attention, whose masks they widen"
ROW_LIMIT = "a prefix belongs to a row, and each text needs one of its own"
IMPLEMENTATIONS = {"sdpa": "prefixed_sdpa", "eager": "prefixed_eager"}


def use_prefixed_attention(model: nn.Module) -> None:
    """Let `model` attend through the functions registered here.

    Raises:
        UnsupportedError: its attention is neither "sdpa" nor "eager", or not exchangeable.
    """
    assert isinstance(model, PreTrainedModel)
    current = model.config._attn_implementation
    if current in IMPLEMENTATIONS.values():
        return
    if current not in IMPLEMENTATIONS:
        raise UnsupportedError(f"prefixes need sdpa or eager attention; {type(model).__name__} uses {current}")
    # Encoder and decoder of T5 have configurations of their own, which older transformers leave out.
    for part in model.modules():
        if isinstance(part, PreTrainedModel) and part.config._attn_implementation != IMPLEMENTATIONS[current]:
            part.set_attn_implementation(IMPLEMENTATIONS[current])
            if part.config._attn_implementation != IMPLEMENTATIONS[current]:
                raise UnsupportedError(f"the attention of {type(part).__name__} cannot take a prefix")


def put_prefix(core: nn.Module, prefix: nn.Module) -> None:
    """Let the attention `core` attend to `prefix`, which returns keys and values, each `(length, width)`.

    Raises:
        UserError: it attends to one already.
    """
    if hasattr(core, CHILD):
        raise UserError("two methods want to put a prefix into the same attention; take one of them")
    core.add_module(CHILD, prefix)


def attend_sdpa(
    module: nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **options: Any
) -> tuple[Tensor, Tensor | None]:
    """Torch's attention over prefix and text.

    Args:
        module: the attention.
        query: `(batch, heads, queries, head_dim)`.
        key: `(batch, key_value_heads, keys, head_dim)`.
        value: the same shape.
        attention_mask: `(batch or 1, 1, queries, keys)`, True where attended; None: everywhere.
        **options: scaling, dropout, position_bias and what else the model passes on.

    Returns:
        Attended values `(batch, queries, heads, head_dim)`, and no weights.
    """
    # `_full_mask` never leaves causality to this flag, which would count the prefix as text.
    options["is_causal"] = False
    key, value, attention_mask = _extend(module, (key, value), attention_mask, options, attended=True)
    result: tuple[Tensor, None] = sdpa_attention_forward(module, query, key, value, attention_mask, **options)
    return result


def attend_eager(
    module: nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **options: Any
) -> tuple[Tensor, Tensor | None]:
    """The same through the model's own eager attention: the mask is added to the scores, the weights are returned."""
    own: Callable[..., tuple[Tensor, Tensor]] = sys.modules[type(module).__module__].eager_attention_forward
    key, value, attention_mask = _extend(module, (key, value), attention_mask, options, attended=0.0)
    return own(module, query, key, value, attention_mask, **options)


def _extend(
    module: nn.Module, pair: tuple[Tensor, Tensor], mask: Tensor | None, options: dict[str, Any], attended: float
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Put the module's prefix, if it has one, in front of keys, values, mask and position bias."""
    key, value = pair
    prefix = getattr(module, CHILD, None)
    if prefix is None:
        return key, value, mask
    keys, values = (_as_heads(table, key) for table in prefix())
    length = keys.shape[2]
    if mask is not None:
        mask = functional.pad(mask, (length, 0), value=attended)
    if options.get("position_bias") is not None:
        options["position_bias"] = functional.pad(options["position_bias"], (length, 0))
    return torch.cat([keys, key], dim=2), torch.cat([values, value], dim=2), mask


def _as_heads(table: Tensor, like: Tensor) -> Tensor:
    """`(length, heads · head_dim)` to `(batch, heads, length, head_dim)`, in the dtype of the keys."""
    batch, heads, _, size = like.shape
    shaped = table.to(like.dtype).view(len(table), heads, size).transpose(0, 1)
    return shaped.expand(batch, heads, len(table), size)


def _full_mask(*arguments: Any, **options: Any) -> Tensor | None:
    """A mask that is written out wherever something is masked; see transformers.masking_utils.sdpa_mask."""
    options["allow_is_causal_skip"] = False
    mask: Tensor | None = sdpa_mask(*arguments, **options)
    return mask


AttentionInterface.register(IMPLEMENTATIONS["sdpa"], attend_sdpa)
AttentionInterface.register(IMPLEMENTATIONS["eager"], attend_eager)
AttentionMaskInterface.register(IMPLEMENTATIONS["sdpa"], told(_full_mask))
AttentionMaskInterface.register(IMPLEMENTATIONS["eager"], told(eager_mask))
