"""GraLoRA: a low-rank update for every block of the weights.

Jung et al. 2025, https://arxiv.org/abs/2505.20355; code: SqueezeBits/GraLoRA.
"""

from dataclasses import dataclass, replace
from typing import Any, Self

from bench.errors import UserError
from bench.methods.base import Setting
from bench.methods.shared.peft_library import each, of_family
from bench.methods.shared.ranges import above_zero, at_least_one, below_one
from bench.methods.shared.sited_tuner import SitedTuner


@dataclass(kw_only=True)
class GraLora(SitedTuner):
    """h = W x + (alpha / r) U x; U is k² blocks `(out/k, in/k)` of rank r/k, as many values as LoRA of rank r has.

    Attributes:
        r: the rank; one for all families, or by family.
        k: blocks in a row and in a column; divides r, and inputs and outputs of every site.
        alpha: the scale's numerator; one for all families, or by family.
        dropout: on x.
    """

    r: int | dict[str, int]
    k: int
    alpha: float | dict[str, float]
    dropout: float

    kind = "GRALORA"
    narrow = True
    on_packed = True
    formula = "h = W x + (α/r) U x, U of k² blocks BᵢⱼAᵢⱼ of rank r/k"
    where = "query and value projections (LLaMA: all seven linear layers of a block)"
    trains = "Aᵢⱼ and Bᵢⱼ"

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least_one(k=self.k)
        for alpha in each(self.alpha):
            above_zero(alpha=alpha)
        below_one(dropout=self.dropout)

    def check(self, setting: Setting) -> None:
        """The rank is low, and shared out among k blocks."""
        super().check(setting)
        if (r := self.chosen(setting)) % self.k:
            raise UserError(f"method.r={r} must be a multiple of method.k={self.k}: each block has r/k of it")

    def of_size(self, number: int, setting: Setting) -> Self:
        """With so many ranks for each block."""
        return replace(self, r=number * self.k, budget=None)

    def options(self, setting: Setting) -> dict[str, Any]:
        """Of `GraloraConfig`."""
        return {
            "r": self.chosen(setting), "gralora_k": self.k, "alpha": of_family(self.alpha, setting, "alpha"),
            "gralora_dropout": self.dropout,
        }  # fmt: skip
