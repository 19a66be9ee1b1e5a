"""Eight-bit linear layers without values: `EightBitLinear`, with the storages of bitsandbytes' kernels spelled out.

The operations are those of `MatMul8bitLt` (bitsandbytes/autograd/_functions.py) and of its kernels for the CPU
(backends/default/ops.py, backends/cpu/ops.py) or a GPU (backends/cuda/ops.py). Inputs are taken to be without
outliers: their columns depend on values, and come on top, 2 or 4 bytes for each of their inputs and weights. They are
kept until the backward pass, although it does not need them, under gradient checkpointing too.
"""

from typing import Any

import torch
from torch import Tensor, nn

from bench.models.eight_bit import LARGEST_CODE, EightBitLinear


class PackedLinear8(EightBitLinear):
    """An `EightBitLinear` for the peft library, computed by the operations below."""

    on_gpu = False  # whose kernels

    @classmethod
    def of(cls, linear: nn.Linear, threshold: float, *, on_gpu: bool) -> "PackedLinear8":
        """In place of a layer on the meta device."""
        codes = torch.empty_like(linear.weight, dtype=torch.int8, requires_grad=False)
        layer = cls(codes, torch.empty(linear.out_features), linear.bias, threshold)
        layer.on_gpu = on_gpu
        return layer

    def product(self, rows: Tensor, bias: Tensor | None) -> Tensor:
        """The storages of bitsandbytes' product."""
        if rows.dtype == torch.float16 and not self.on_gpu:
            rows = rows.clone()
        result: Tensor = _Product.apply(rows, bias, self)  # type: ignore[no-untyped-call]
        return result

    def _part(self, codes: Tensor, scales: Tensor, bias: Tensor | None) -> nn.Module:
        part = super()._part(codes, scales, bias)
        assert isinstance(part, PackedLinear8)
        part.on_gpu = self.on_gpu
        return part


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, bias: Tensor | None, layer: PackedLinear8) -> Tensor:
        quantised = _quantised_on_gpu if layer.on_gpu else _quantised_on_cpu
        codes, scales = quantised(rows.to(torch.float16), layer.threshold)
        product = _integers(codes, layer.weight, layer.on_gpu)
        scaled = _scaled_on_gpu(product, bias) if layer.on_gpu else _scaled_on_cpu(product, scales, layer.SCB, bias)
        ctx.layer, ctx.rows = layer, rows if ctx.needs_input_grad[0] else None
        return scaled.to(rows.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,), layer, dtype = gradients, ctx.layer, ctx.rows.dtype
        weight = layer.weight.to(dtype, copy=True).mul_(layer.SCB.unsqueeze(1).mul(1 / LARGEST_CODE))
        return gradient.to(dtype) @ weight, None, None


def _quantised_on_cpu(half: Tensor, threshold: float) -> tuple[Tensor, Tensor]:
    """Codes and scales of rows in fp16."""
    outliers = half.abs() >= threshold if threshold > 0 else None  # noqa: F841  # lives until the codes are there
    scales = torch.max(half.abs(), dim=1).values.float()
    return torch.round(half * (LARGEST_CODE / scales.unsqueeze(-1))).to(torch.int8), scales


def _quantised_on_gpu(half: Tensor, threshold: float) -> tuple[Tensor, Tensor]:
    scales, codes = half.new_empty(len(half), dtype=torch.float32), torch.empty_like(half, dtype=torch.int8)
    outliers = half.abs() >= threshold if threshold > 0 else None  # noqa: F841
    return codes, scales


def _integers(codes: Tensor, weight: Tensor, on_gpu: bool) -> Tensor:
    """The product in int32, which cuBLASLt computes of rows of whole fours, and CPUs with AVX-512; others in fp32."""
    whole = codes.shape[1] % 4 == 0 if on_gpu else torch.backends.cpu.get_cpu_capability() == "AVX512"
    if whole:
        return torch._int_mm(codes, weight.t())
    return torch.matmul(codes.float(), weight.float().t()).to(torch.int32)


def _scaled_on_cpu(product: Tensor, rows: Tensor, columns: Tensor, bias: Tensor | None) -> Tensor:
    """In fp32."""
    out = product * (rows.unsqueeze(-1) * columns.unsqueeze(0)) * LARGEST_CODE**-2
    if bias is not None:
        out += bias
    return out


def _scaled_on_gpu(product: Tensor, bias: Tensor | None) -> Tensor:
    """In fp16."""
    out = torch.empty_like(product, dtype=torch.float16)
    if bias is not None and bias.dtype != torch.float16:
        out.add_(bias)
    return out
