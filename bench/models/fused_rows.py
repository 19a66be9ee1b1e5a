"""Which rows of a fused projection are queries', keys' and values': from the heads, checked by the layers' sizes.

The orders are those of transformers' own forward passes: GPT-2 splits into thirds, Phi-3 by the heads of queries and of
keys, GPT-NeoX, BLOOM and Falcon head by head; Falcon's queries share one head of keys (`multi_query`), or some share
one (`new_decoder_architecture`).
"""

from typing import Any

import torch
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from bench.models.roles import AttentionRoles, FusedOrder
from bench.models.structure import FusedRows


def fused_rows(model: Any, core: str, fused: str, output: str, roles: AttentionRoles | None) -> FusedRows | str:
    """Read whose the rows of a fused projection are.

    Args:
        model: of transformers' classes, bare; its values are not looked at.
        core: the path of the attention.
        fused: that of its fused projection.
        output: that of its output projection, whose inputs are the values of all heads of queries.
        roles: what is known of the model; None where nothing is.

    Returns:
        The rows, or why they cannot be told.
    """
    if roles is None or roles.order is None:
        kind = model.config.model_type
        return f"{fused} gives queries, keys and values at once, and in which order is not known of {kind}"
    heads = model.config.get_text_config().num_attention_heads
    key_heads = heads if roles.key_heads is None else getattr(model.get_submodule(core), roles.key_heads)
    width, rows = inputs_of(model, output), width_of(model, fused)
    size = width // heads
    if width % heads or heads % key_heads or rows != width + 2 * key_heads * size:
        return (
            f"{fused} has {rows} rows, which are not those of {heads} heads of queries and {key_heads} of keys and of "
            f"values, {width}/{heads} rows each"
        )
    if roles.order == FusedOrder.contiguous:
        return FusedRows(1, (width, key_heads * size, key_heads * size))
    return FusedRows(key_heads, (width // key_heads, size, size))


def width_of(model: nn.Module, path: str) -> int:
    """How many values the linear layer at `path` gives."""
    linear = model.get_submodule(path)
    width = linear.nf if isinstance(linear, Conv1D) else linear.out_features
    assert isinstance(width, int)
    return width


def inputs_of(model: nn.Module, path: str) -> int:
    """How many values it takes."""
    linear = model.get_submodule(path)
    width = linear.nx if isinstance(linear, Conv1D) else linear.in_features
    assert isinstance(width, int)
    return width


def cut(tensor: Tensor, rows: FusedRows) -> list[Tensor]:
    """Queries', keys' and values' own of `(rows, …)`, each contiguous and with memory of its own."""
    grouped = tensor.unflatten(0, (rows.groups, sum(rows.sizes)))
    return [piece.flatten(0, 1).clone(memory_format=torch.contiguous_format) for piece in grouped.split(rows.sizes, 1)]


def join(parts: list[Tensor], rows: FusedRows, dim: int) -> Tensor:
    """The inverse of `cut` along `dim`, the first (0) or the last (-1)."""
    if rows.groups == 1:
        return torch.cat(parts, dim)
    grouped = [piece.unflatten(dim, (rows.groups, size)) for piece, size in zip(parts, rows.sizes, strict=True)]
    return torch.cat(grouped, 1).flatten(0, 1) if dim == 0 else torch.cat(grouped, -1).flatten(-2)
