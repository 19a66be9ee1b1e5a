"""VeRA: two trained vectors in each layer, between random matrices that all layers share.

Kopiczko, Blankevoort, Asano 2023, https://arxiv.org/abs/2310.11454, equation 2.
"""

from dataclasses import dataclass
from typing import Any

from bench.methods.base import Setting
from bench.methods.shared.ranges import above_zero, below_one
from bench.methods.shared.sited_tuner import SitedTuner


@dataclass(kw_only=True)
class Vera(SitedTuner):
    """h = W x + b ⊙ B (d ⊙ A x); A `(r, in)` and B `(out, r)` are random, frozen, and the same in all layers.

    b `(out,)` starts at zero. Where layers are of several shapes, each takes the corner of A and B that fits it.

    Attributes:
        r: the rank; one for all families, or by family.
        d_initial: where every entry of d `(r,)` starts.
        dropout: on x.
    """

    r: int | dict[str, int]
    d_initial: float
    dropout: float

    kind = "VERA"
    size = "r"
    draws = True
    on_packed = True
    formula = "h = W x + b ⊙ B (d ⊙ A x), A and B random"
    where = "query and value projections (LLaMA: all seven linear layers of a block)"
    trains = "the vectors b and d; A and B are drawn from the seed and not stored"

    def __post_init__(self) -> None:
        super().__post_init__()
        above_zero(d_initial=self.d_initial)
        below_one(dropout=self.dropout)

    def options(self, setting: Setting) -> dict[str, Any]:
        """Of `VeraConfig`."""
        return {
            "r": self.chosen(setting), "d_initial": self.d_initial, "vera_dropout": self.dropout,
            "projection_prng_key": setting.seed, "save_projection": False,
        }  # fmt: skip
