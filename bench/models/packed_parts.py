"""A packed fused projection, cut into queries', keys' and values' own without a change of any weight.

In eight bits a row has its own scale, and rows are cut as they are (`bench.models.eight_bit`). In four, bitsandbytes
packs a weight in blocks of 64 values, which have a scale each, and puts 256 scales into eight bits as one (Dettmers et
al. 2023, https://arxiv.org/abs/2305.14314, section 3). The packed blocks are cut as they are. Their scales would be
others if they were put into eight bits again in other company, so the parts hold them in fp32, which takes 0.37 bits
more for each weight of these layers.
"""

from typing import Any

import torch
from torch import Tensor, nn

from bench.errors import UnsupportedError
from bench.models.fused_rows import cut
from bench.models.structure import FusedRows

BLOCK, PER_BYTE = 64, 2  # weights


def packed_parts(linear: Any, rows: FusedRows) -> list[nn.Module]:
    """Packed layers of queries, keys and values.

    Args:
        linear: a packed layer, settled (`bench.models.quantisation.settle`); or one that stands for it in a plan,
            which makes a part of so many rows itself.
        rows: what is whose in it.

    Raises:
        UnsupportedError: it is in four bits, and a row is not whole blocks.
    """
    if hasattr(linear, "parts"):
        parts: list[nn.Module] = linear.parts(rows)
        return parts
    inputs, state = linear.in_features, linear.weight.quant_state
    if inputs % BLOCK:
        raise UnsupportedError(
            f"queries, keys and values in four bits cannot be parted: a row of {inputs} weights is not whole blocks of "
            f"{BLOCK}"
        )
    if hasattr(linear, "part"):
        return [linear.part(rows.groups * size) for size in rows.sizes]
    packed = cut(linear.weight.data.view(-1, inputs // PER_BYTE), rows)
    scales = cut(_scales(state).view(-1, inputs // BLOCK), rows)
    biases = [None] * len(packed) if linear.bias is None else cut(linear.bias.detach(), rows)
    return [_layer(linear, *own) for own in zip(packed, scales, biases, strict=True)]


def _scales(state: Any) -> Tensor:
    """One in fp32 for each block."""
    from bitsandbytes.functional import dequantize_blockwise

    scales: Tensor = dequantize_blockwise(state.absmax, state.state2) + state.offset if state.nested else state.absmax
    return scales


def _layer(like: Any, packed: Tensor, scales: Tensor, bias: Tensor | None) -> nn.Module:
    """A layer of packed rows, `(outputs, inputs / 2)` bytes, and of their scales, `(outputs, inputs / 64)`."""
    from bitsandbytes.functional import QuantState
    from bitsandbytes.nn import Linear4bit, Params4bit

    old, outputs = like.weight.quant_state, len(packed)
    layer = Linear4bit(
        like.in_features, outputs, bias is not None, like.compute_dtype, compress_statistics=False,
        quant_type=old.quant_type, device="meta",
    )  # fmt: skip
    state = QuantState(
        scales.flatten(), torch.Size((outputs, like.in_features)), old.code, old.blocksize, old.quant_type, old.dtype
    )
    layer.weight = Params4bit(
        packed.view(-1, 1), requires_grad=False, quant_state=state, blocksize=old.blocksize, compress_statistics=False,
        quant_type=old.quant_type, bnb_quantized=True, module=layer,
    )  # fmt: skip
    layer.quant_state, layer.support_avx512bf16_for_cpu = state, like.support_avx512bf16_for_cpu
    if bias is not None:
        layer.bias = nn.Parameter(bias, requires_grad=like.bias.requires_grad)
    return layer
