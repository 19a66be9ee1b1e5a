"""The stand-in's tensors: every operation on them passes here, and is run on the values in host memory."""

from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import return_and_correct_aliasing

from bench.metering.storages import OUTSIDE
from bench.metering.unseen import may_reuse_first
from tests.device.account import memory
from tests.device.backend import DEVICE
from tests.device.events import INDEXING, watchers

aten = torch.ops.aten


class OnDevice(Tensor):
    """A tensor on the stand-in; `host` has its values."""

    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, host: Tensor) -> "OnDevice":
        """A wrapper of the same sizes and strides on the device."""
        return Tensor._make_wrapper_subclass(
            cls, host.size(), strides=host.stride(), storage_offset=host.storage_offset(), dtype=host.dtype,
            layout=host.layout, device=DEVICE,
        )  # fmt: skip

    def __init__(self, host: Tensor) -> None:
        self.host = host
        memory.take(host)

    @property
    def data(self) -> Tensor:
        return torch._C.TensorBase.data.__get__(self)

    @data.setter
    def data(self, value: "OnDevice") -> None:
        torch._C.TensorBase.data.__set__(self, value)
        self.host = value.host

    def tolist(self) -> Any:
        """PyTorch refuses it to a class of its own; a GPU's tensor is copied for it."""
        return self.cpu().tolist()

    def __repr__(self) -> str:  # type: ignore[override]
        return f"OnDevice({self.host!r})"

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        memory.settle()
        if func is aten.copy_.default:
            return copy_from(args[1], args[0], *args[2:], **kwargs)
        for events in watchers():
            events.called(func, args, kwargs)
        _look_for_strangers(func, args, kwargs)
        leaves = pytree.tree_leaves((args, kwargs))
        stays = all(leaf.type == DEVICE.type for leaf in leaves if isinstance(leaf, torch.device))
        if func._overloadpacket in (aten._to_copy, aten.to) and not stays:
            for events in watchers():
                events.copied_to_host(args[0])
        values, options = pytree.tree_map(on_host, (args, kwargs))
        result = func(*values, **options)
        if not stays:
            return result
        # In inference mode too, a view of a tensor that was made outside of it is none of its own.
        outside = torch.is_inference_mode_enabled() and func.is_view and not args[0].is_inference()
        with torch.inference_mode(False) if outside else nullcontext():
            result = pytree.tree_map(on_device, result)
        # Autograd adds two gradients in the place of the first, which nothing else holds; not to one that is wrapped.
        in_place = _in_backward() and not torch.is_grad_enabled() and may_reuse_first(func, args, result)
        memory.reach(unless_ends=args[0].host if in_place else None)
        if func is aten._unsafe_view.default:  # a view in all but its schema
            torch._functionalize_unsafe_set(result, args[0])
        return return_and_correct_aliasing(func, args, kwargs, result)


def _look_for_strangers(func: Any, args: Any, kwargs: Any) -> None:
    """Count the tensors of the host that CUDA fetches by itself, and refuse those that it refuses.

    A single number is an argument of most kernels. An index is copied, and waited for; so are the numbers that `where`
    chooses between, and one that is written to indexed places.
    """
    indices = args[1] if func._overloadpacket in INDEXING else ()
    for stranger in pytree.tree_leaves((args, kwargs)):
        if not isinstance(stranger, Tensor) or isinstance(stranger, OnDevice):
            continue
        if stranger.dim() and not any(stranger is index for index in indices):
            raise RuntimeError(f"{func}: a tensor of the host among tensors of the device")
        if indices or func._overloadpacket is aten.where:
            for events in watchers():
                events.copied_to_device(stranger, waited_for=True)


def _in_backward() -> bool:
    return torch._C._current_graph_task_id() != OUTSIDE


def on_host(value: Any) -> Any:
    if isinstance(value, torch.device):
        return torch.device("cpu")
    return value.host if isinstance(value, OnDevice) else value


def on_device(value: Any) -> Any:
    return OnDevice(value) if isinstance(value, Tensor) else value


def copy_from(source: Tensor, target: Tensor, non_blocking: bool = False) -> Tensor:
    """Every copy between host and device, and every one within the device that is asked for by name."""
    for events in watchers():
        if not isinstance(target, OnDevice):
            events.copied_to_host(source)
        elif not isinstance(source, OnDevice):
            events.copied_to_device(source, waited_for=not non_blocking)
    on_host(target).copy_(on_host(source))
    return target
