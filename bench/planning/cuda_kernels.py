"""What a GPU's kernels keep where a CPU's keep something else; for fake tensors, which are on the "cpu".

A build of PyTorch without CUDA cannot differentiate fake CUDA tensors, and a plan must not depend on the machine that
makes it. So fake tensors stay on the CPU, and the operations whose memory differs are replaced by the ones that a GPU
would run: dropout keeps one byte an element (aten/src/ATen/native/Dropout.cpp), attention is fused
(transformers/cuda/sdp_utils.cpp), and autocast widens other operations (aten/src/ATen/autocast_mode.h).
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

aten = torch.ops.aten

# Of autocast's operations in fp32 on CUDA, those of transformers' models that a CPU's autocast leaves alone.
WIDENED = {
    functional.softmax, functional.log_softmax, functional.layer_norm, functional.cross_entropy, functional.nll_loss,
    functional.mse_loss, torch.softmax, torch.log_softmax, torch.layer_norm, torch.pow, torch.rsqrt, torch.exp,
    torch.cumsum, Tensor.softmax, Tensor.pow, Tensor.__pow__, Tensor.rsqrt, Tensor.exp, Tensor.cumsum,
}  # fmt: skip


class CudaKernels(TorchFunctionMode):
    """While entered, dropout, attention and autocast take the memory that they take on CUDA."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in REPLACED:
            return REPLACED[func](*args, **kwargs)
        if func in WIDENED and torch.is_autocast_enabled("cpu"):
            args = tuple(_wide(value) for value in args)
        return func(*args, **kwargs)


def recomputed() -> tuple[AbstractContextManager[Any], AbstractContextManager[Any]]:
    """For checkpointing, `context_fn`: the backward pass leaves the mode, what is computed again in it needs it."""
    return nullcontext(), CudaKernels()


def _wide(value: Any) -> Any:
    narrow = isinstance(value, Tensor) and value.is_floating_point() and value.dtype != torch.float64
    return value.float() if narrow else value


def _dropout(values: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    if not training or p == 0:
        return values
    result: Tensor = aten.native_dropout(values, p, True)[0]
    return result


def _attention(
    query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None, dropout_p: float = 0.0,
    *, is_causal: bool = False, scale: float | None = None, enable_gqa: bool = False,
) -> Tensor:  # fmt: skip
    if torch.is_autocast_enabled("cpu"):
        narrow = torch.get_autocast_dtype("cpu")
        query, key, value = (tensor.to(narrow) for tensor in (query, key, value))
        attn_mask = attn_mask.to(narrow) if attn_mask is not None and attn_mask.is_floating_point() else attn_mask
    if enable_gqa and key.shape[1] != query.shape[1]:
        repeats = query.shape[1] // key.shape[1]
        key, value = (tensor.repeat_interleave(repeats, dim=1) for tensor in (key, value))
    result: Tensor
    if attn_mask is None and query.dtype in (torch.float16, torch.bfloat16):
        result = aten._scaled_dot_product_flash_attention(query, key, value, dropout_p, is_causal, scale=scale)[0]
        return result
    if attn_mask is not None:
        if attn_mask.dtype == torch.bool:
            attn_mask = torch.zeros_like(attn_mask, dtype=query.dtype).masked_fill_(~attn_mask, float("-inf"))
        attn_mask = attn_mask.expand(*query.shape[:-1], key.shape[-2])
    needs_gradient = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in (query, key, value))
    result = aten._scaled_dot_product_efficient_attention(
        query, key, value, attn_mask, needs_gradient, dropout_p, is_causal, scale=scale
    )[0]
    return result


REPLACED: dict[Any, Callable[..., Any]] = {
    functional.dropout: _dropout,
    torch.dropout: _dropout,
    functional.scaled_dot_product_attention: _attention,
}
