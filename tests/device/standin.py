"""A device that is not the host, for machines that have none: it tells the truth about placement, waits and copies.

PyTorch's PrivateUse1 backend, set up in Python, gives a device of its own name. Its tensors keep real values in host
memory that only the dispatcher touches (`wrapper.py`), so a whole cell runs on "the device" with real numbers, and

- an operation that mixes tensors of the host with tensors of the device is refused where CUDA refuses it;
- what makes the host wait for the device, and what is copied either way, is counted (`events.py`);
- so are the bytes that live on it (`account.py`).

It is one of the whole process, so its tests have a run of their own. What it cannot show:

- kernels: a CPU's compute, fused optimisers and attention included, in a CPU's time; dropout keeps a byte an element,
  as on CUDA. CUDA's own attention, workspaces, blocks of 512 bytes and fragments are not there;
- autocast: everything is in fp32;
- streams: nothing runs beside the host, so nothing is read before it is there;
- pinned memory: every copy is from pageable memory; what is not waited for with it is not waited for without;
- packed weights: bitsandbytes' parameters are a tensor class of their own, which a wrapper cannot be;
- a random state of its own: it draws from the host's generator;
- several devices, and several processes;
- in inference mode, waits and copies inside the operations that PyTorch makes of others: these arrive whole.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend

from tests.device.account import memory
from tests.device.backend import DEVICE
from tests.device.wrapper import OnDevice, copy_from, on_host

__all__ = ["DEVICE"]

aten = torch.ops.aten


def _made(host: Tensor) -> Tensor:
    result = OnDevice(host)
    memory.reach()
    return result


def _empty(
    size: Any,
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: Any = None,
    memory_format: Any = None,
) -> Tensor:
    return _made(torch.empty(size, dtype=dtype, memory_format=memory_format or torch.contiguous_format))


def _empty_strided(
    size: Any, stride: Any, *, dtype: Any = None, layout: Any = None, device: Any = None, pin_memory: Any = None
) -> Tensor:
    return _made(torch.empty_strided(size, stride, dtype=dtype))


def _eye(n: int, *, dtype: Any = None, layout: Any = None, device: Any = None, pin_memory: Any = None) -> Tensor:
    """PyTorch's own gives an empty tensor its size afterwards, which a wrapper does not notice."""
    return _made(torch.eye(n, dtype=dtype))


def _attention(  # noqa: PLR0917  # the operator's own
    query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None, dropout_p: float = 0.0,
    is_causal: bool = False, *, scale: float | None = None, enable_gqa: bool = False,
) -> Tensor:  # fmt: skip
    """As fused as on a CPU, which chooses by the shapes; a device without a choice of its own would run it in steps."""
    mask = attn_mask
    if mask is not None and mask.dtype == torch.bool:
        mask = torch.zeros_like(mask, dtype=query.dtype).masked_fill_(~mask, float("-inf"))
    hosts = [on_host(tensor) for tensor in (query, key, value, mask)]
    choice = torch._fused_sdp_choice(*hosts, dropout_p, is_causal, scale=scale, enable_gqa=enable_gqa)
    if choice == SDPBackend.FLASH_ATTENTION.value and not (mask is not None and mask.requires_grad):
        fused = aten._scaled_dot_product_flash_attention_for_cpu
        return fused(query, key, value, dropout_p, is_causal, attn_mask=mask, scale=scale)[0]
    in_steps = aten._scaled_dot_product_attention_math
    return in_steps(query, key, value, mask, dropout_p, is_causal, None, scale=scale, enable_gqa=enable_gqa)[0]


_library = torch.library.Library("aten", "IMPL")
# What makes a tensor from nothing (`torch.arange(…, device=…)`) meets no wrapper on its way, and begins with these.
_library.impl("empty.memory_format", _empty, "PrivateUse1")
_library.impl("empty_strided", _empty_strided, "PrivateUse1")
_library.impl("eye", _eye, "PrivateUse1")
_library.impl("_copy_from", copy_from, "PrivateUse1")
_library.impl("scaled_dot_product_attention", _attention, "AutogradPrivateUse1")
# A device without a kernel of its own would run it in steps.
_library.impl("silu_backward", torch.library.fallthrough_kernel, "AutogradPrivateUse1")
