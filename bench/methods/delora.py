"""DeLoRA: a low-rank update whose directions and strength are trained apart.

Bini, Girrbach, Akata 2025, https://arxiv.org/abs/2503.18225; code: ExplainableML/DeLoRA.
"""

from dataclasses import dataclass
from typing import Any

from bench.methods.base import Setting
from bench.methods.shared.peft_library import each, of_family
from bench.methods.shared.ranges import above_zero, below_one
from bench.methods.shared.sited_tuner import SitedTuner


@dataclass(kw_only=True)
class DeLora(SitedTuner):
    """h = W x + (λ / r) Σᵢ bᵢ aᵢᵀ N x / (‖aᵢ‖ ‖bᵢ‖); N are the norms of W's columns, as the base has them.

    Attributes:
        r: how many pairs of a `(in,)` and b `(out,)`, b zero at first; one for all families, or by family.
        strength: where λ, one for each layer, starts: a bound of the update; one for all families, or by family.
        dropout: on x.
        strength_rate: what λ's learning rate is multiplied with.
    """

    r: int | dict[str, int]
    strength: float | dict[str, float]
    dropout: float
    strength_rate: float

    kind = "DELORA"
    narrow = True
    size = "r"
    formula = "h = W x + (λ/r) Σᵢ bᵢaᵢᵀ N x / (‖aᵢ‖‖bᵢ‖), N: norms of W's columns"
    where = "query and value projections"
    trains = "aᵢ, bᵢ and λ"
    differences = ("b starts at zero, as in the library; the authors subtract what a random start adds",)

    def __post_init__(self) -> None:
        super().__post_init__()
        for strength in each(self.strength):
            above_zero(strength=strength)
        above_zero(strength_rate=self.strength_rate)
        below_one(dropout=self.dropout)

    def options(self, setting: Setting) -> dict[str, Any]:
        """Of `DeloraConfig`, whose dropout has modules in its name and is on x."""
        return {
            "r": self.chosen(setting), "delora_lambda": of_family(self.strength, setting, "strength"),
            "module_dropout": self.dropout,
        }  # fmt: skip

    def rate_multipliers(self) -> dict[str, float]:
        """λ's, where it is another."""
        return {} if self.strength_rate == 1 else {"delora_lambda": self.strength_rate}
