"""Fake tensors: shapes, types and storages of every operation, no values, no memory, no time."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

aten = torch.ops.aten


class _Answers(TorchDispatchMode):
    """Answers code that asks for values: a number is 1, a truth is True; a mask selects everything, a search nothing.

    A padding mask is full then, which is the largest batch there is; a loss is finite; a batch has one target.
    """

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is aten._local_scalar_dense.default:
            return {torch.bool: True}.get(args[0].dtype, 1.0 if args[0].is_floating_point() else 1)
        if func is aten.nonzero.default:
            return args[0].new_empty((0, args[0].dim()), dtype=torch.int64)
        if func is aten.bincount.default:
            return args[0].new_empty(args[2], dtype=torch.int64)  # minlength
        if func is aten.index.Tensor and len(args[1]) == 1 and args[1][0].dtype == torch.bool:
            return args[0].clone()
        if func is aten._grouped_mm.default:
            return _grouped(*args, **kwargs)
        return func(*args, **kwargs)


def _grouped(one: Tensor, other: Tensor, offs: Tensor | None = None, *_: Any, **__: Any) -> Tensor:
    """The product of matrices in groups (experts); torch's own rule for fake tensors knows bfloat16 alone."""
    rows, columns = one.shape[-2], other.shape[-1]
    if one.dim() == other.dim() == 2:
        assert offs is not None
        return one.new_empty((len(offs), rows, columns))
    is_flat = one.dim() == 2 or other.dim() == 2
    return one.new_empty((rows, columns) if is_flat else (len(one), rows, columns))


@contextmanager
def fake_tensors() -> Iterator[FakeTensorMode]:
    """Within the block every tensor that is made is fake, on the "cpu" for autograd's sake."""
    # transformers would build the masks that a traced graph needs, not those that a run with values builds.
    answers = _Answers()  # type: ignore[no-untyped-call]
    with FakeTensorMode() as mode, answers, patch("transformers.utils.import_utils.is_fake_tensor", lambda _: False):
        yield mode


def materialise(model: nn.Module) -> None:
    """Turn the meta tensors of a model into fake ones, each once: what was shared stays shared.

    To be called within `fake_tensors`. A model is built and adapted on the meta device, because modules of fake tensors
    cannot be moved.
    """
    done: dict[int, Tensor] = {}
    originals = []  # kept until the end, so that no `id` is used twice

    def fake(tensor: Tensor) -> Tensor:
        if id(tensor) not in done:
            originals.append(tensor)
            made: Tensor = torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype)
            if isinstance(tensor, nn.Parameter):
                made = nn.Parameter(made, requires_grad=tensor.requires_grad)
                made.__dict__.update({key: faked(value) for key, value in vars(tensor).items()})
            done[id(tensor)] = made
        return done[id(tensor)]

    def faked(value: Any) -> Any:
        """The same for plain attributes: the scales of a packed parameter, the virtual tokens of the peft library."""
        if isinstance(value, SimpleNamespace):
            return SimpleNamespace(**{key: faked(item) for key, item in vars(value).items()})
        if type(value) is dict:
            return {key: faked(item) for key, item in value.items()} if _has_tensors(value) else value
        return fake(value) if isinstance(value, Tensor) else value

    for module in model.modules():
        for tensors in (module._parameters, module._buffers):
            for name, tensor in tensors.items():
                if tensor is not None:
                    tensors[name] = fake(tensor)  # type: ignore[assignment]
        for name, value in vars(module).items():
            if not name.startswith("_"):
                vars(module)[name] = faked(value)


def _has_tensors(values: dict[Any, Any]) -> bool:
    return any(isinstance(value, Tensor) for value in values.values())
