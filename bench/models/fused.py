"""Fused projections of queries, keys and values, split into three layers for methods that act on some of them.

LoRA's authors adapt slices of a fused projection too (microsoft/LoRA, `MergedLinear`), in one layer that is LoRA's own.
Here three layers take the place of the fused one, and any method, the peft library's too, takes them for what they are.
The fused layer stays as it is where the method asks for none of its parts.
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from bench.errors import UnsupportedError
from bench.models.fused_rows import cut, join
from bench.models.packed_parts import packed_parts
from bench.models.quantisation import is_packed
from bench.models.structure import PARTS, FusedRows, Structure


class SplitProjection(nn.Module):
    """x ↦ what the fused projection gives, in its own order, computed by the layers `query`, `key` and `value`.

    x is `(…, inputs)`, the result `(…, rows)`. The three are `nn.Linear`, or packed layers, of the fused layer's own
    values, dtype, device and `requires_grad`.
    """

    def __init__(self, fused: nn.Module, rows: FusedRows) -> None:
        """Take over the values of `fused`, a linear layer of torch's, of transformers' (GPT-2), or a packed one.

        Raises:
            UnsupportedError: it is in four bits, and a row of its weight is not whole blocks of these.
        """
        super().__init__()
        self.rows, self.transposed = rows, isinstance(fused, Conv1D)
        parts = packed_parts(fused, rows) if is_packed(fused.weight) else _parts(fused, rows)
        for name, part in zip(PARTS, parts, strict=True):
            self.add_module(name, part)
        self.train(fused.training)

    def forward(self, x: Tensor) -> Tensor:
        """The fused projection's result."""
        return join([getattr(self, name)(x) for name in PARTS], self.rows, dim=-1)

    def fused(self) -> nn.Module:
        """One layer again, of the same kind: after a merge, when the three are plain linear layers once more."""
        layers: list[Any] = [self.get_submodule(name) for name in PARTS]
        assert all(type(layer) is nn.Linear for layer in layers), "as a merge leaves them"
        weight = join([layer.weight.detach() for layer in layers], self.rows, dim=0)
        has_bias = layers[0].bias is not None
        bias = join([layer.bias.detach() for layer in layers], self.rows, dim=0) if has_bias else None
        linear = _linear(weight, bias, layers[0])
        return (_transposed(linear) if self.transposed else linear).train(self.training)


def split_fused(model: nn.Module, structure: Structure, paths: Iterable[str]) -> None:
    """Split, in place, the fused projections of which a part is among `paths`; those that are split stay so.

    Args:
        model: bare; other methods may have changed it.
        structure: its sites.
        paths: of linear layers; those that are parts of no fused projection count for nothing.

    Raises:
        UnsupportedError: another method has replaced the fused projection, or it is in four bits that cannot be parted.
    """
    wanted = set(paths)
    for attention in (attention for block in structure.known for attention in block.attentions):
        if attention.fused is None or attention.rows is None or wanted.isdisjoint(path for _, path in attention.parts):
            continue
        fused = model.get_submodule(attention.fused)
        if isinstance(fused, SplitProjection):
            continue
        if not isinstance(fused, nn.Linear | Conv1D):
            raise UnsupportedError(
                f"one method acts on {attention.fused} as a whole ({type(fused).__name__}), another on a part of it; "
                f"let both act on the parts"
            )
        model.set_submodule(attention.fused, SplitProjection(fused, attention.rows))


def fuse(model: nn.Module) -> None:
    """Undo `split_fused`, in place; the parts must be plain linear layers."""
    for path, module in list(model.named_modules()):
        if isinstance(module, SplitProjection):
            model.set_submodule(path, module.fused())


def layers_at(model: nn.Module, path: str) -> list[nn.Module]:
    """The linear layer at `path`, or the three that it was split into."""
    module = model.get_submodule(path)
    return [module.get_submodule(name) for name in PARTS] if isinstance(module, SplitProjection) else [module]


def _parts(fused: Any, rows: FusedRows) -> list[nn.Module]:
    weight = fused.weight.T if isinstance(fused, Conv1D) else fused.weight
    weights = cut(weight.detach(), rows)
    biases = [None] * len(weights) if fused.bias is None else cut(fused.bias.detach(), rows)
    return [_linear(w, b, fused) for w, b in zip(weights, biases, strict=True)]


def _linear(weight: Tensor, bias: Tensor | None, like: Any) -> nn.Linear:
    """A layer of these values, `(outputs, inputs)` and `(outputs,)`, trained where the layer `like` is."""
    linear = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None, device="meta")
    linear.weight = nn.Parameter(weight, requires_grad=like.weight.requires_grad)
    if bias is not None:
        linear.bias = nn.Parameter(bias, requires_grad=like.bias.requires_grad)
    return linear


def _transposed(linear: nn.Linear) -> Conv1D:
    with torch.device("meta"):
        layer = Conv1D(linear.out_features, linear.in_features)
    layer.weight = nn.Parameter(linear.weight.detach().T.contiguous(), requires_grad=linear.weight.requires_grad)
    layer.bias = linear.bias
    return layer
