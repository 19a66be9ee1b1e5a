"""LoHa: an update that is the entry-wise product of two low-rank matrices, of rank up to r².

Hyeon-Woo, Ye-Bin, Oh 2021, https://arxiv.org/abs/2108.06098, for federated learning (FedPara); as an update of
pretrained weights Yeh et al. 2023, https://arxiv.org/abs/2309.14859 (LyCORIS).
"""

from dataclasses import dataclass
from typing import Any

from bench.methods.base import Setting
from bench.methods.shared.peft_library import each, of_family
from bench.methods.shared.ranges import above_zero
from bench.methods.shared.sited_tuner import SitedTuner


@dataclass(kw_only=True)
class LoHa(SitedTuner):
    """h = W x + (alpha / r) (B₁ A₁ ⊙ B₂ A₂) x; A₂ `(r, in)` is zero at first, the other three random.

    Attributes:
        r: the rank of each product, half of what LoRA has with as many values; one for all families, or by family.
        alpha: the scale's numerator; one for all families, or by family.
    """

    r: int | dict[str, int]
    alpha: float | dict[str, float]

    kind = "LOHA"
    narrow = True
    size = "r"
    why_not_packed = "the library gives the update the shape of the base's weights"
    formula = "h = W x + (α/r) (B₁A₁ ⊙ B₂A₂) x"
    where = "query and value projections"
    trains = "A₁, A₂, B₁ and B₂"

    def __post_init__(self) -> None:
        super().__post_init__()
        for alpha in each(self.alpha):
            above_zero(alpha=alpha)

    def options(self, setting: Setting) -> dict[str, Any]:
        """Of `LoHaConfig`."""
        return {"r": self.chosen(setting), "alpha": of_family(self.alpha, setting, "alpha")}
