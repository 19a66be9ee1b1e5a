"""Packed linear layers without values: bitsandbytes' own layer of four bits, its kernels' storages spelled out.

Two weights lie in a byte; a block of 64 has a scale in one byte; 256 scales share one in fp32 (Dettmers et al. 2023,
https://arxiv.org/abs/2305.14314, section 3). `MatMul4Bit` of bitsandbytes makes scales in fp32 and the weight in each
pass: forwards in the input's dtype (but a GPU's kernels for small batches do without), backwards in the dtype that was
packed and from that in the gradient's. Eight bits: `bench.planning.eight_bit`.
"""

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import torch
from bitsandbytes.nn import Linear4bit
from torch import Tensor, nn
from torch.nn import functional

from bench.configuration.schema import Quantisation
from bench.models.quantisation import Packing, mark, packable, plain_linear
from bench.planning.eight_bit import PackedLinear8

BLOCK, NESTED_BLOCK, CODES, NESTED_CODES = 64, 256, 16, 256


class _PackedProduct(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, inputs: Tensor, packed: Tensor, bias: Tensor | None, state: Any) -> Tensor:
        ctx.state, ctx.has_bias = state, bias is not None and bias.requires_grad
        ctx.save_for_backward(packed)
        scales = _scales(state)  # noqa: F841  # lives until the product is there
        return functional.linear(inputs, packed.new_empty(state.shape, dtype=inputs.dtype), bias)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,), (packed,) = gradients, ctx.saved_tensors
        of_bias = gradient.sum(dim=tuple(range(gradient.dim() - 1))) if ctx.has_bias else None
        return gradient @ _unpacked(packed, ctx.state).to(gradient.dtype), None, of_bias, None


def _scales(state: Any) -> Tensor:
    """Those of the blocks in fp32, unpacked where they are quantised too."""
    return state.absmax if state.state2 is None else torch.empty_like(state.absmax, dtype=torch.float32)


def _unpacked(packed: Tensor, state: Any) -> Tensor:
    scales = _scales(state)  # noqa: F841  # given back with this function's end
    return packed.new_empty(state.shape, dtype=state.dtype)


class PackedLinear(Linear4bit):
    """A `Linear4bit` for the peft library, computed by the operations above."""

    def __init__(self, linear: nn.Linear, packing: Packing) -> None:
        super().__init__(  # type: ignore[no-untyped-call]
            linear.in_features, linear.out_features, linear.bias is not None, packing.compute, quant_type="nf4",
            device="meta",
        )  # fmt: skip
        count = linear.weight.numel()
        scales = -(-count // BLOCK)
        kind = torch.uint8 if packing.double else torch.float32
        nested = SimpleNamespace(absmax=torch.empty(-(-scales // NESTED_BLOCK)), code=torch.empty(NESTED_CODES))
        packed: Any = nn.Parameter(torch.empty((count + 1) // 2, 1, dtype=torch.uint8), requires_grad=False)
        packed.quant_state = SimpleNamespace(
            shape=linear.weight.shape, dtype=linear.weight.dtype, absmax=torch.empty(scales, dtype=kind),
            code=torch.empty(CODES), offset=torch.empty(()) if packing.double else None,
            state2=nested if packing.double else None,
        )  # fmt: skip
        packed.quant_type, packed.compress_statistics = "nf4", packing.double
        packed.quant_storage, packed.bnb_quantized = torch.uint8, True
        self.weight = packed
        self.bias = linear.bias
        if self.bias is not None:
            self.bias.data = self.bias.data.to(packing.compute)  # as `settle` does

    def part(self, outputs: int) -> "PackedLinear":
        """A layer of so many of its rows, its scales in fp32; see `bench.models.packed_parts`."""
        linear = nn.Linear(self.in_features, outputs, self.bias is not None, device="meta")
        part = PackedLinear(linear, Packing(double=False, compute=self.compute_dtype))
        packed: Any = part.weight
        packed.quant_state.dtype = self.weight.quant_state.dtype  # type: ignore[attr-defined]
        return part

    def forward(self, x: Tensor) -> Tensor:
        """As `Linear4bit.forward`: in the type of the computation, the result in the input's."""
        packed: Any = self.weight
        result: Tensor = _PackedProduct.apply(  # type: ignore[no-untyped-call]
            x.to(self.compute_dtype), packed, self.bias, packed.quant_state
        )
        return result.to(x.dtype)


def pack(model: nn.Module, paths: Iterable[str], packing: Packing, device: str) -> None:
    """Put the linear layers at `paths` into four or eight bits; see `bench.models.quantisation.quantise`.

    Args:
        model: on the meta device.
        paths: of the blocks' linear layers.
        packing: how.
        device: "cuda" or "cpu": whose kernels will compute.

    Raises:
        UnsupportedError: one cannot be.
    """
    for path in packable(model, paths):
        linear = plain_linear(model, path, packing.kind)
        if packing.kind == Quantisation.int8:
            model.set_submodule(path, PackedLinear8.of(linear, packing.threshold, on_gpu=device == "cuda"))
        else:
            model.set_submodule(path, PackedLinear(linear, packing))
    mark(model, packing.kind)
