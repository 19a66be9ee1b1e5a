"""PEANuT: the base's weights go through a small trained network, and what comes out is added to them.

Zhong et al. 2024, https://arxiv.org/abs/2410.01870.
"""

from dataclasses import dataclass
from typing import Any

from bench.methods.base import Setting
from bench.methods.shared.peft_library import each, of_family
from bench.methods.shared.ranges import above_zero, not_negative
from bench.methods.shared.sited_tuner import SitedTuner


@dataclass(kw_only=True)
class Peanut(SitedTuner):
    """h = W x + s · f(W) x; f goes over W's columns: B σ(A w) with A `(r, out)` random and B `(out, r)` zero at first.

    Attributes:
        r: the network's width; one for all families, or by family.
        depth: pairs of layers `(r, r)` between A and B, each pair around what it leaves out.
        scale: s; one for all families, or by family.
    """

    r: int | dict[str, int]
    depth: int
    scale: float | dict[str, float]

    kind = "PEANUT"
    narrow = True
    size = "r"
    formula = "h = W x + s·B relu(A W) x"
    where = "query and value projections"
    trains = "A, B and what lies between them"

    def __post_init__(self) -> None:
        super().__post_init__()
        not_negative(depth=self.depth)
        for scale in each(self.scale):
            above_zero(scale=scale)

    def options(self, setting: Setting) -> dict[str, Any]:
        """Of `PeanutConfig`."""
        return {
            "r": self.chosen(setting), "depth": self.depth, "scaling": of_family(self.scale, setting, "scale"),
            "act_fn": "relu",
        }  # fmt: skip
