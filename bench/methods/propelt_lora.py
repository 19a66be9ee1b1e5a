"""ProPELT's LoRA: low-rank factors shared by all layers, under masks for each.

Zeng, Zhang, Lu 2023, https://arxiv.org/abs/2305.17682 (where it is spelled ProPETL); code: ChaosCodes/ProPETL.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.methods.base import Setting
from bench.methods.shared.mask_scores import MaskScores
from bench.methods.shared.peft_library import by_family
from bench.methods.shared.propelt import Propelt, masked
from bench.methods.shared.ranges import above_zero, at_least_one, within_hidden_size
from bench.methods.trainable import freeze
from bench.models.fused import split_fused


class MaskedLowRank(nn.Module):
    """h + (alpha / r) (m_B∘B)(m_A∘A) x behind a projection with input x and output h; A and B shared."""

    def __init__(
        self, prototype: nn.ParameterDict, a_mask: MaskScores | None, b_mask: MaskScores | None, scale: float
    ) -> None:
        super().__init__()
        self.prototype, self.a_mask, self.b_mask, self.scale = prototype, a_mask, b_mask, scale

    def attach(self, projection: nn.Module, name: str) -> None:
        """Act on the output of `projection`."""
        projection.add_module(name, self)
        projection.register_forward_hook(self.after)

    def after(self, projection: nn.Module, inputs: tuple[Tensor], h: Tensor) -> Tensor:
        """The hook; inputs (x,)."""
        low = functional.linear(inputs[0], masked(self.prototype["A"], self.a_mask))
        return h + self.scale * functional.linear(low, masked(self.prototype["B"], self.b_mask))


@dataclass(kw_only=True)
class PropeltLora(Propelt):
    """One pair of low-rank factors per site, shared by all layers: one for queries, one for values.

    Attributes:
        r: the rank.
        alpha: the scale's numerator.
        sites: by family, which linear layers; see `bench.models.structure.SITES`.
    """

    r: int
    alpha: float
    sites: dict[str, list[str]]

    size = "r"
    formula = "h = W x + (α/r) (M₂∘B)(M₁∘A) x"
    where = "query and value projections"

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least_one(r=self.r)
        above_zero(alpha=self.alpha)

    def check(self, setting: Setting) -> None:
        """A rank above the hidden size is no longer low."""
        super().check(setting)
        within_hidden_size(setting, r=self.r)

    def targets(self, setting: Setting) -> list[str]:
        """The sites'."""
        return setting.structure.paths(by_family(self.sites, setting, "sites"))

    def apply(self, model: nn.Module, setting: Setting) -> nn.Module:
        """Freeze the base; one prototype per site, and masks for every layer."""
        split_fused(model, setting.structure, self.targets(setting))
        freeze(model)
        device = next(model.parameters()).device
        for site in by_family(self.sites, setting, "sites"):
            paths = setting.structure.paths([site])
            first = model.get_submodule(paths[0])
            inputs, outputs = first.in_features, first.out_features
            assert isinstance(inputs, int)
            assert isinstance(outputs, int)
            prototype = None
            for path in paths:
                if prototype is None or not self.shared:
                    prototype = self._prototype(inputs, outputs, device)
                a_mask = self.new_mask((self.r, inputs), inputs, device)
                b_mask = self.new_mask((outputs, self.r), self.r, device)
                MaskedLowRank(prototype, a_mask, b_mask, self.alpha / self.r).attach(
                    model.get_submodule(path), self.name
                )
        return model

    def _prototype(self, inputs: int, outputs: int, device: torch.device) -> nn.ParameterDict:
        a, b = torch.empty(self.r, inputs, device=device), torch.zeros(outputs, self.r, device=device)
        nn.init.kaiming_uniform_(a, a=5**0.5)
        return nn.ParameterDict({"A": a, "B": b})

    def why_not_mergeable(self) -> str:
        """The reason, for the error message."""
        return "it is kept as one prototype and a mask of bits per layer, which a merge would blow up to full matrices"
