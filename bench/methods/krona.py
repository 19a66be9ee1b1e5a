"""KronA: an update that is the Kronecker product of two trained matrices.

Edalati et al. 2022, https://arxiv.org/abs/2212.10650. Where the peft library's LoKr without ranks has the shapes, it is
the same; its first factor is square wherever inputs and outputs are as many, and here any shape may be had.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Self

import torch
from torch import Tensor, nn

from bench.errors import UnsupportedError, UserError
from bench.methods.adapting import unpacked
from bench.methods.base import Layer, Method, Setting
from bench.methods.shared.peft_library import by_family
from bench.methods.shared.ranges import above_zero, at_least_one
from bench.methods.trainable import freeze
from bench.models.fused import fuse, split_fused
from bench.models.quantisation import is_quantised


class KroneckerUpdate(nn.Module):
    """h + scale (A ⊗ B) x behind a linear layer with input x and output h.

    A `(a1, a2)` starts at zero, B `(outputs / a1, inputs / a2)` uniform as LoRA's A does.
    """

    def __init__(self, inputs: int, outputs: int, shape: tuple[int, int], scale: float, device: torch.device) -> None:
        super().__init__()
        self.scale = scale
        self.A = nn.Parameter(torch.zeros(shape, device=device))
        self.B = nn.Parameter(torch.empty(outputs // shape[0], inputs // shape[1], device=device))
        nn.init.kaiming_uniform_(self.B, a=5**0.5)

    def attach(self, linear: nn.Module, name: str) -> None:
        """Act on the output of `linear`."""
        linear.add_module(name, self)
        self._hook = linear.register_forward_hook(self.after)

    def detach_from(self, linear: nn.Module, name: str) -> None:
        """Undo that."""
        self._hook.remove()
        delattr(linear, name)

    def after(self, linear: nn.Module, inputs: tuple[Tensor], h: Tensor) -> Tensor:
        """The hook; inputs (x,)."""
        update: Tensor = self(inputs[0])
        return h + self.scale * update

    def forward(self, x: Tensor) -> Tensor:
        """(A ⊗ B) x without the product: x `(…, a2 · b2)` as a matrix `(a2, b2)` is A x Bᵀ."""
        parts = nn.functional.linear(x.unflatten(-1, (self.A.shape[1], self.B.shape[1])), self.B)
        return torch.matmul(self.A, parts).flatten(-2)

    def weight(self) -> Tensor:
        """Scale (A ⊗ B), `(outputs, inputs)`."""
        return self.scale * torch.kron(self.A, self.B)


@dataclass(kw_only=True)
class Krona(Method):
    """h = W x + scale (A ⊗ B) x, W frozen.

    Attributes:
        shape: (a1, a2) of A, which divide the outputs and inputs of every site; None: by `step`.
        step: which of the possible products a1 · a2, in each layer: 1 is the one with the fewest parameters, of the
            shapes that have it the one nearest to a square, and each further one is the next larger product.
        scale: s.
        sites: by family, which linear layers; see `bench.models.structure.SITES`.
    """

    shape: list[int] | None
    step: int
    scale: float
    sites: dict[str, list[str]]

    size = "step"
    stacks = adds = True
    layer = Layer.activations
    mergeable = True
    formula = "h = W x + s (A ⊗ B) x"
    where = "query and value projections"
    trains = "A and B"

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least_one(step=self.step)
        above_zero(scale=self.scale)
        if self.shape is not None:
            if len(self.shape) != 2:
                raise UserError(f"method.shape={self.shape} must be two numbers: the rows and columns of A")
            if self.step != 1:
                raise UserError(f"method.step={self.step} has no effect beside method.shape={self.shape}")
            at_least_one(**{"shape[0]": self.shape[0], "shape[1]": self.shape[1]})

    def of_size(self, number: int, setting: Setting) -> Self:
        """The so-many-th product of each layer."""
        return replace(self, shape=None, step=number, budget=None)

    def targets(self, setting: Setting) -> list[str]:
        """The sites'."""
        return setting.structure.paths(by_family(self.sites, setting, "sites"))

    def apply(self, model: nn.Module, setting: Setting) -> nn.Module:
        """Freeze the base, and put an update behind every site.

        Raises:
            UserError: a layer cannot have such a shape.
            UnsupportedError: a site is no linear layer of torch's (GPT-2).
        """
        paths = self.targets(setting)
        split_fused(model, setting.structure, paths)
        freeze(model)
        for path in paths:
            linear: Any = model.get_submodule(path)
            if getattr(linear, "in_features", None) is None:
                raise UnsupportedError(f"{self.title} on {path}: it is a {type(linear).__name__}, no nn.Linear")
            inputs, outputs = linear.in_features, linear.out_features
            shape = self._shape(inputs, outputs, path)
            KroneckerUpdate(inputs, outputs, shape, self.scale, linear.weight.device).attach(linear, self.name)
        return model

    def _shape(self, inputs: int, outputs: int, path: str) -> tuple[int, int]:
        if self.shape is not None:
            rows, columns = self.shape
            if outputs % rows or inputs % columns:
                raise UserError(
                    f"method.shape={self.shape} does not fit {path}, {outputs} outputs and {inputs} inputs: rows must "
                    "divide the outputs, columns the inputs"
                )
            return rows, columns
        shapes = shapes_of(inputs, outputs)
        if self.step > len(shapes):
            raise UserError(f"method.step={self.step} is more than the {len(shapes)} sizes that {path} has")
        return shapes[self.step - 1]

    def merge(self, model: nn.Module, setting: Setting) -> nn.Module:
        """Add the products to the weights; a quantised base is dequantised first, as four bits could not hold them."""
        if is_quantised(model):
            model = unpacked(model, self, setting, lambda: self._bare(model))
        with torch.no_grad():
            for linear, update in self._taken(model):
                linear.weight.add_(update.weight().to(linear.weight.dtype))
        fuse(model)
        return model

    def _bare(self, model: nn.Module) -> nn.Module:
        self._taken(model)
        return model

    def _taken(self, model: nn.Module) -> list[tuple[Any, KroneckerUpdate]]:
        """Take all updates off; linear layers, each with what it had."""
        found = list(updates(model))
        for linear, update in found:
            update.detach_from(linear, self.name)
        return found


def updates(model: nn.Module) -> Iterator[tuple[Any, KroneckerUpdate]]:
    """Linear layers, each with its update."""
    for module in model.modules():
        for child in module.children():
            if isinstance(child, KroneckerUpdate):
                yield module, child


def shapes_of(inputs: int, outputs: int) -> list[tuple[int, int]]:
    """Shapes (a1, a2) of A from the fewest parameters on, one a product: the one whose factors are nearest to squares.

    Args:
        inputs: of the layer, which a2 divides.
        outputs: of the layer, which a1 divides.
    """
    nearest: dict[int, tuple[int, int]] = {}
    for a1 in _divisors(outputs):
        for a2 in _divisors(inputs):
            if a1 * a2 not in nearest or _stretch(a1, a2, inputs, outputs) < _stretch(
                *nearest[a1 * a2], inputs, outputs
            ):
                nearest[a1 * a2] = (a1, a2)
    counts = {product: product + inputs * outputs // product for product in nearest}
    least = min(counts, key=lambda product: (counts[product], -product))
    return [nearest[product] for product in sorted(nearest) if product >= least]


def _divisors(number: int) -> list[int]:
    return [divisor for divisor in range(1, number + 1) if number % divisor == 0]


def _stretch(a1: int, a2: int, inputs: int, outputs: int) -> float:
    """How far A and B are from squares: the sides' quotients, multiplied."""
    b1, b2 = outputs // a1, inputs // a2
    return max(a1, a2) / min(a1, a2) * max(b1, b2) / min(b1, b2)
