"""HRA: a layer's inputs are turned by a chain of trained reflections.

Yuan, Liu, Xu 2024, https://arxiv.org/abs/2405.17484, equation 3; code: DaShenZi721/HRA.
"""

from dataclasses import dataclass, replace
from typing import Any, Self

from bench.errors import UserError
from bench.methods.base import Setting
from bench.methods.shared.sited_tuner import SitedTuner


@dataclass(kw_only=True)
class Hra(SitedTuner):
    """h = W H₁ … H_r x with Hᵢ = I − 2 uᵢ uᵢᵀ / ‖uᵢ‖²; two neighbours start alike, and undo each other.

    Attributes:
        r: how many reflections, an even number; one for all families, or by family.
        orthogonal: whether the uᵢ are made orthogonal to each other (λ = ∞ in the paper) or left alone (λ = 0).
    """

    r: int | dict[str, int]
    orthogonal: bool

    kind = "HRA"
    narrow = True
    formula = "h = W H₁ … H_r x, Hᵢ = I − 2 uᵢuᵢᵀ/‖uᵢ‖²"
    where = "all linear layers of a block (LLaMA: query and value projections)"
    trains = "the vectors uᵢ"

    def check(self, setting: Setting) -> None:
        """Reflections come in pairs, and are fewer than the width."""
        super().check(setting)
        if (r := self.chosen(setting)) % 2:
            raise UserError(f"method.r={r} must be even: at the start two reflections undo each other")

    def of_size(self, number: int, setting: Setting) -> Self:
        """So many pairs."""
        return replace(self, r=2 * number, budget=None)

    def options(self, setting: Setting) -> dict[str, Any]:
        """Of `HRAConfig`."""
        return {"r": self.chosen(setting), "apply_GS": self.orthogonal}
