"""LoRA with one thing changed: DoRA, PiSSA, OLoRA, rsLoRA, LoRA-FA. Their layers are the peft library's."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import peft
import torch
from peft.tuners.lora import LoraLayer
from torch import nn

from bench.configuration.schema import Quantisation
from bench.errors import UnsupportedError, UserError
from bench.methods.base import Setting
from bench.methods.lora import Initialisation, Lora
from bench.methods.shared.peft_files import ADAPTER
from bench.models.structure import EXPERT_SITES

DELTA = 1e-8  # what is added to A Aᵀ before it is inverted, as in the library


@dataclass(kw_only=True)
class Kin(Lora):
    """What they have in common: they sit on linear layers alone, and keep hold of whole matrices."""

    shardable = False
    stacks = adds = False  # some look at the base's weights alone
    where = "query and value projections"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.scaled or self.initialisation != Initialisation.zero_b:
            raise UserError(f"method.scaled and method.initialisation are LoRA's; {self.title} has its own of both")

    def check(self, setting: Setting) -> None:
        """As LoRA's, and no experts."""
        super().check(setting)
        if found := [site for site in self.sites.get(setting.family, []) if site in EXPERT_SITES]:
            raise UnsupportedError(f"{self.title} is not offered at the site {found[0]}: it is for linear layers")


@dataclass(kw_only=True)
class Dora(Kin):
    """h = m ⊙ (W + (alpha / r) B A) x / ‖W + (alpha / r) B A‖, by rows; m starts at the rows' norms of W.

    Liu et al. 2024, https://arxiv.org/abs/2402.09353, equation 5. The norm counts as a constant in the backward pass
    (section 4.3), as in the authors' code.
    """

    formula = "h = m ⊙ (W + (α/r) B A) x / ‖W + (α/r) B A‖"
    where = "query and value projections (LLaMA: query, key, value, up and down)"
    trains = "A, B and the magnitudes m"

    def options(self) -> dict[str, Any]:
        """The switch."""
        return {"use_dora": True}


@dataclass(kw_only=True)
class FromBase(Kin):
    """h = (W − s B₀ A₀) x + s B A x, where A and B start as A₀ and B₀, which are found in W.

    The residual is not stored, and is found again from W wherever a trained model is put together.
    """

    takes = ""  # what A₀ and B₀ are
    beginning = ""  # the library's word for them

    def check(self, setting: Setting) -> None:
        """A packed base has nothing of the kind to give away, nor room for the residual."""
        super().check(setting)
        if setting.quantisation != Quantisation.none:
            raise UnsupportedError(
                f"{self.title} on {setting.quantisation}: it takes {self.takes} out of the base's "
                "weights, which are packed; leave the quantisation out"
            )

    def options(self) -> dict[str, Any]:
        """The beginning."""
        return {"init_lora_weights": self.beginning}


@dataclass(kw_only=True)
class Pissa(FromBase):
    """A₀ and B₀ are the r largest singular values and vectors of W, shared out evenly.

    Meng, Wang, Zhang 2024, https://arxiv.org/abs/2404.02948, equations 2 to 4. The singular values are exact, not the
    randomised ones of the authors' code, which are others wherever a trained model is put together.
    """

    takes = "the largest singular values"
    beginning = "pissa"
    formula = "h = (W − B₀A₀) x + B A x; A₀, B₀: the r largest singular values of W"
    where = "query and value projections (LLaMA: all seven linear layers of a block)"
    differences = ("exact singular values; the authors' scripts take randomised ones (`pissa_niter_16`)",)


@dataclass(kw_only=True)
class Olora(FromBase):
    """B₀ is the first r columns of Q, A₀ the first r rows of R, W = Q R; B starts orthonormal.

    Büyükakyüz 2024, https://arxiv.org/abs/2406.01775; the peft library's code is the author's.
    """

    takes = "columns of an orthonormal basis"
    beginning = "olora"
    formula = "h = (W − s B₀A₀) x + s B A x; B₀A₀: the first r columns and rows of W = Q R"


@dataclass(kw_only=True)
class RsLora(Kin):
    """h = W x + (alpha / √r) B A x: what is learnt at a rate stays as large whatever the rank is.

    Kalajdzievski 2023, https://arxiv.org/abs/2312.03732, theorem 3.2.
    """

    shardable = True
    formula = "h = W x + (α/√r) B A x"
    where = "query and value projections (LLaMA: all seven linear layers of a block)"

    def options(self) -> dict[str, Any]:
        """The switch."""
        return {"use_rslora": True}


@dataclass(kw_only=True)
class LoraFa(Kin):
    """h = W x + (alpha / r) B A x, A drawn from the cell's seed and frozen.

    Zhang et al. 2023, https://arxiv.org/abs/2308.03303. With `corrected`, B's gradient g becomes g (A Aᵀ)⁻¹ r² / alpha²
    before the optimizer sees it: the one that brings B A nearest to a step of full fine-tuning (second version of the
    paper; the library's `LoraFAOptimizer`). The library has an optimizer of its own for it; here the correction is made
    in between, and the loop's optimizer does the rest.

    Attributes:
        corrected: whether B's gradient is corrected.
    """

    corrected: bool

    trains = "B; A is drawn from the seed, frozen, and not stored"
    formula = "h = W x + (α/r) B A x, A frozen"
    where = "query and value projections (LLaMA: all seven linear layers of a block)"

    def apply(self, model: nn.Module, setting: Setting) -> nn.Module:
        """As LoRA, with A of the seed."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(setting.seed)
            adapted = super().apply(model, setting)
        for layer in _layers(adapted):
            layer.lora_A.requires_grad_(False)
        return adapted

    def drawn(self, model: nn.Module) -> dict[str, torch.Tensor]:
        """A."""
        layers: dict[str, Any] = {name: one for name, one in model.named_modules() if isinstance(one, LoraLayer)}
        return {f"{name}.lora_A.{ADAPTER}.weight": layer.lora_A[ADAPTER].weight for name, layer in layers.items()}

    def on_gradients(self, model: nn.Module) -> None:
        """Correct B's gradient."""
        if not self.corrected:
            return
        for layer in _layers(model):
            a, b = layer.lora_A[ADAPTER].weight, layer.lora_B[ADAPTER].weight
            if b.grad is not None:
                b.grad.copy_(b.grad @ _inverse(a).to(b.grad.dtype) / layer.scaling[ADAPTER] ** 2)


def _layers(model: nn.Module) -> Iterator[Any]:
    assert isinstance(model, peft.PeftModel)
    return (module for module in model.modules() if isinstance(module, LoraLayer))


@torch.no_grad()
def _inverse(a: torch.Tensor) -> torch.Tensor:
    """(A Aᵀ + δ I)⁻¹ of A, `(r, inputs)`, in fp32; no look at whether there is one, which a GPU would be waited for."""
    wide = a.float()
    inverse: torch.Tensor = torch.linalg.inv_ex(wide @ wide.T + DELTA * torch.eye(len(wide), device=wide.device))[0]
    return inverse
