"""RandLoRA: a full-rank update out of random low-rank bases, of which only the scales are trained.

Albert et al. 2025, https://arxiv.org/abs/2502.00987, equation 3; code: PaulAlbert31/RandLoRA.
"""

import math
from dataclasses import dataclass, replace
from typing import Any, Self

from bench.errors import UserError
from bench.methods.base import Setting
from bench.methods.shared.ranges import above_zero, below_one
from bench.methods.shared.sited_tuner import SitedTuner


@dataclass(kw_only=True)
class RandLora(SitedTuner):
    """h = W x + (alpha / r) Σᵢ Bᵢ Λᵢ A Γᵢ x over n = ⌈min(in, out) / r⌉ bases; A and all Bᵢ are random and frozen.

    The diagonals Λᵢ `(r,)` start at zero; Γᵢ has min(in, out) entries. The smaller r is, the more bases there are and
    the more is trained.

    Attributes:
        r: the rank of a base; one for all families, or by family.
        scale: alpha / r.
        dropout: on x.
    """

    r: int | dict[str, int]
    scale: float
    dropout: float

    kind = "RANDLORA"
    narrow = True
    draws = True
    on_packed = True
    formula = "h = W x + (α/r) Σᵢ Bᵢ Λᵢ A Γᵢ x, A and Bᵢ random"
    where = "all linear layers of a block (LLaMA: query, key, value, up and down)"
    trains = "the diagonals Λᵢ and Γᵢ; A and Bᵢ are drawn from the seed and not stored"

    def __post_init__(self) -> None:
        super().__post_init__()
        above_zero(scale=self.scale)
        below_one(dropout=self.dropout)

    def of_size(self, number: int, setting: Setting) -> Self:
        """With so many bases, as nearly as a whole rank gives them.

        Raises:
            UserError: there would be more bases than a layer has ranks.
        """
        if number > (width := setting.structure.hidden_size):
            raise UserError(f"{self.title} has at most {width} bases here")
        return replace(self, r=math.ceil(width / number), budget=None)

    def options(self, setting: Setting) -> dict[str, Any]:
        """Of `RandLoraConfig`."""
        rank = self.chosen(setting)
        return {
            "r": rank, "randlora_alpha": self.scale * rank, "randlora_dropout": self.dropout,
            "projection_prng_key": setting.seed, "save_projection": False,
        }  # fmt: skip
