"""RoAd: a layer's outputs are turned and stretched in pairs.

Liao, Monz 2024, https://arxiv.org/abs/2409.00119.
"""

from dataclasses import dataclass, replace
from typing import Any, Self

from bench.errors import UserError
from bench.methods.base import Setting
from bench.methods.shared.sited_tuner import SitedTuner

# How many angles, and as many lengths, a pair of outputs has; what the paper calls RoAd₁, RoAd₂ and RoAd₄.
VARIANTS = (1, 2, 4)


@dataclass(kw_only=True)
class Road(SitedTuner):
    """h = R (W x + b); R turns each pair of outputs by an angle θ, zero at first, and stretches it by α, one at first.

    Attributes:
        angles: of a pair, of 1, 2 and 4: the same θ and α for both outputs, one for each, one for each entry of R.
        group_size: within so many outputs the first half pairs with the second; divides every site's outputs. It
            changes how fast the model is served and not what it can learn.
    """

    angles: int | dict[str, int]
    group_size: int

    kind = "ROAD"
    number = "angles"
    on_packed = True
    formula = "h = R (W x + b), R = (α cos θ, −α sin θ; α sin θ, α cos θ) for each pair of outputs"
    where = "all linear layers of a block"
    trains = "the angles θ and the lengths α"

    def check(self, setting: Setting) -> None:
        """There are three kinds, and pairs."""
        super().check(setting)
        if (angles := self.chosen(setting)) not in VARIANTS:
            raise UserError(f"method.angles={angles} must be one of {', '.join(map(str, VARIANTS))}")
        if self.group_size < 2 or self.group_size % 2:
            raise UserError(f"method.group_size={self.group_size} must be even, and 2 or more")

    def of_size(self, number: int, setting: Setting) -> Self:
        """The so-many-th of the three kinds.

        Raises:
            UserError: there are no more.
        """
        if number > len(VARIANTS):
            raise UserError(f"{self.title} has {len(VARIANTS)} sizes: {', '.join(map(str, VARIANTS))} angles a pair")
        return replace(self, angles=VARIANTS[number - 1], budget=None)

    def options(self, setting: Setting) -> dict[str, Any]:
        """Of `RoadConfig`."""
        return {"variant": f"road_{self.chosen(setting)}", "group_size": self.group_size}
