"""MiSS: an update of which all shards of the inputs share one trained matrix.

Kang, Yin 2024, https://arxiv.org/abs/2409.15371 (Bone in its first version); code: JL-er/MiSS.
"""

from dataclasses import dataclass
from typing import Any

from bench.methods.base import Setting
from bench.methods.shared.ranges import below_one
from bench.methods.shared.sited_tuner import SitedTuner


@dataclass(kw_only=True)
class Miss(SitedTuner):
    """h = W x + Dᵀ Σⱼ xⱼ: x is summed over its pieces xⱼ of r entries; D `(r, out)` starts at zero.

    Attributes:
        r: the entries of a piece; one for all families, or by family.
        dropout: on x.
    """

    r: int | dict[str, int]
    dropout: float

    kind = "MISS"
    narrow = True
    size = "r"
    formula = "h = W x + Dᵀ Σⱼ xⱼ, xⱼ the pieces of x"
    where = "query and value projections (LLaMA: all seven linear layers of a block)"
    trains = "D"

    def __post_init__(self) -> None:
        super().__post_init__()
        below_one(dropout=self.dropout)

    def options(self, setting: Setting) -> dict[str, Any]:
        """Of `MissConfig`."""
        return {"r": self.chosen(setting), "miss_dropout": self.dropout}
