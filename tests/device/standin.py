"""A device that is not the host, for machines that have none: it tells the truth about placement, waits and copies.

PyTorch's PrivateUse1 backend, set up in Python, gives a device of its own name. Its tensors keep real values in host
memory that only the dispatcher touches, so a whole step runs on "the device" with real numbers, and

- an operation that mixes tensors of the host with tensors of the device is refused, as CUDA refuses it;
- what makes the host wait for the device, and what is copied either way, is counted.

It has no kernels of its own, no streams and no autocast; fused and foreach optimisers are none of its operations.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

aten = torch.ops.aten
WAITS = {aten._local_scalar_dense.default, aten.nonzero.default, aten.equal.default}
TO_HOST, TO_DEVICE = "copy to the host", "copy to the device"

_events: Counter[str] = Counter()

_setup_privateuseone_for_python_backend("standin")
DEVICE = torch.device("standin", 0)


@contextmanager
def watching() -> Iterator[Counter[str]]:
    """Within the block: how often the host waited for the device, by operation, and what was copied."""
    _events.clear()
    yield _events


class OnDevice(Tensor):
    """A tensor on the stand-in; `host` has its values."""

    @staticmethod
    def __new__(cls, host: Tensor, requires_grad: bool = False) -> "OnDevice":
        """A wrapper of the same sizes and strides on the device."""
        return Tensor._make_wrapper_subclass(
            cls, host.size(), strides=host.stride(), storage_offset=host.storage_offset(), dtype=host.dtype,
            layout=host.layout, device=DEVICE, requires_grad=requires_grad,
        )  # fmt: skip

    def __init__(self, host: Tensor, requires_grad: bool = False) -> None:
        self.host = host

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if func in WAITS:
            _events[str(func)] += 1
        target = kwargs.get("device")
        to_host = func is aten._to_copy.default and target is not None and torch.device(target).type == "cpu"
        if to_host:
            _events[TO_HOST] += 1
        elif target is not None and torch.device(target).type == DEVICE.type:
            kwargs["device"] = torch.device("cpu")
        leaves = pytree.tree_leaves((args, kwargs))
        strangers = [leaf for leaf in leaves if isinstance(leaf, Tensor) and not isinstance(leaf, OnDevice)]
        if func is not aten.copy_.default and any(tensor.dim() for tensor in strangers):
            raise RuntimeError(f"{func}: a tensor of the host among tensors of the device")
        args, kwargs = pytree.tree_map(_on_host, (args, kwargs))
        result = func(*args, **kwargs)
        return result if to_host else pytree.tree_map(_on_device, result)


def _on_host(value: Any) -> Any:
    return value.host if isinstance(value, OnDevice) else value


def _on_device(value: Any) -> Any:
    return OnDevice(value) if isinstance(value, Tensor) else value


_library = torch.library.Library("aten", "IMPL")


def _empty(
    size: Any,
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: Any = None,
    memory_format: Any = None,
) -> Tensor:
    return OnDevice(torch.empty(size, dtype=dtype, memory_format=memory_format or torch.contiguous_format))


def _empty_strided(
    size: Any, stride: Any, *, dtype: Any = None, layout: Any = None, device: Any = None, pin_memory: Any = None
) -> Tensor:
    return OnDevice(torch.empty_strided(size, stride, dtype=dtype))


def _copy_from(source: Tensor, target: Tensor, non_blocking: bool = False) -> Tensor:
    if not isinstance(target, OnDevice):
        _events[TO_HOST] += 1
    elif not isinstance(source, OnDevice):
        _events[TO_DEVICE] += 1
    _on_host(target).copy_(_on_host(source))
    return target


# What makes a tensor from nothing (`torch.arange(…, device=…)`) meets no wrapper on its way, and begins with these.
_library.impl("empty.memory_format", _empty, "PrivateUse1")
_library.impl("empty_strided", _empty_strided, "PrivateUse1")
_library.impl("_copy_from", _copy_from, "PrivateUse1")


def move(model: nn.Module) -> nn.Module:
    """Put a model's parameters and buffers on the stand-in, in place; tied weights stay tied."""
    moved: dict[int, nn.Parameter] = {}
    for module in model.modules():
        for name, value in list(module._parameters.items()):
            if value is not None:
                fresh = nn.Parameter(OnDevice(value.detach().clone()), requires_grad=value.requires_grad)
                module._parameters[name] = moved.setdefault(id(value), fresh)
        for name, value in list(module._buffers.items()):
            if value is not None:
                module._buffers[name] = OnDevice(value)
    return model
