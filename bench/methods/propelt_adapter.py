"""ProPELT's adapter: one bottleneck shared by all layers, under a mask for each.

Zeng, Zhang, Lu 2023, https://arxiv.org/abs/2305.17682 (where it is spelled ProPETL); code: ChaosCodes/ProPETL.
"""

from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.methods.base import Setting
from bench.methods.shared.bottleneck import INITIAL_STD, PfeifferAdapter
from bench.methods.shared.mask_scores import MaskScores
from bench.methods.shared.norm_places import READABLE, attach_behind_sum, check_norms
from bench.methods.shared.propelt import Propelt, masked
from bench.methods.shared.ranges import at_least_one, within_hidden_size
from bench.methods.trainable import freeze


class MaskedBottleneck(nn.Module):
    """up∘m_up(ReLU(down∘m_down(x))) with `down`, `up` and both biases shared, and this layer's masks."""

    def __init__(self, prototype: nn.ModuleDict, down_mask: MaskScores | None, up_mask: MaskScores | None) -> None:
        super().__init__()
        self.prototype, self.down_mask, self.up_mask = prototype, down_mask, up_mask

    def forward(self, x: Tensor) -> Tensor:
        """`(…, hidden)` to `(…, hidden)`."""
        down, up = self.prototype["down"], self.prototype["up"]
        assert isinstance(down, nn.Linear)
        assert isinstance(up, nn.Linear)
        inner = functional.relu(functional.linear(x, masked(down.weight, self.down_mask), down.bias))
        return functional.linear(inner, masked(up.weight, self.up_mask), up.bias)


@dataclass(kw_only=True)
class PropeltAdapter(Propelt):
    """One bottleneck adapter in Pfeiffer's place, shared by all layers.

    Attributes:
        reduction: the hidden size over the inner size m.
    """

    reduction: int

    identity_at_start = False
    why_not_identity = "the up-projection is drawn from N(0, 0.02)"
    formula = "y = LN(h + (M₂∘U) ReLU((M₁∘D) LN(h + x)) + x)"
    where = "after feed-forward, at the residual sum"

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least_one(reduction=self.reduction)

    def of_size(self, number: int, setting: Setting) -> Self:
        """So many units or the next number that a whole reduction gives."""
        return replace(self, reduction=setting.structure.hidden_size // number, budget=None)

    def sizes(self, setting: Setting) -> dict[str, int | float]:
        """The reduction."""
        return {"reduction": self.reduction}

    def check(self, setting: Setting) -> None:
        """The bottleneck has at least one unit, and there is a pretrained norm to read through."""
        super().check(setting)
        check_norms(self.title, setting.structure, READABLE)
        within_hidden_size(setting, reduction=self.reduction)

    def apply(self, model: nn.Module, setting: Setting) -> nn.Module:
        """Freeze the base; one prototype, and in every block an adapter with masks of its own."""
        freeze(model)
        hidden, device = setting.structure.hidden_size, next(model.parameters()).device
        size = hidden // self.reduction
        prototype = None
        for site in setting.structure.feed_forwards:
            if prototype is None or not self.shared:
                prototype = _prototype(hidden, size, device)
            # The authors' scores have the transposed shapes, hence the fan-in.
            down_mask = self.new_mask((size, hidden), size, device)
            up_mask = self.new_mask((hidden, size), hidden, device)
            adapter = PfeifferAdapter(MaskedBottleneck(prototype, down_mask, up_mask))
            attach_behind_sum(model, adapter, site, self.name)
        return model

    def why_not_mergeable(self) -> str:
        """The reason, for the error message."""
        return "a bottleneck is not linear"


def _prototype(hidden: int, size: int, device: torch.device) -> nn.ModuleDict:
    down, up = nn.Linear(hidden, size, device=device), nn.Linear(size, hidden, device=device)
    for linear in (down, up):
        nn.init.normal_(linear.weight, std=INITIAL_STD)
        nn.init.zeros_(linear.bias)
    return nn.ModuleDict({"down": down, "up": up})
