"""HiRA: the base's weights are multiplied, entry by entry, with a trained low-rank matrix.

Huang et al. 2025, https://openreview.net/forum?id=TwJrTz9cRS; code: hqsiswiliam/hira.
"""

from dataclasses import dataclass
from typing import Any

from bench.methods.base import Setting
from bench.methods.shared.ranges import below_one
from bench.methods.shared.sited_tuner import SitedTuner


@dataclass(kw_only=True)
class Hira(SitedTuner):
    """h = W x + (W ⊙ B A) x; A `(r, in)` is random, B `(out, r)` zero at first.

    Attributes:
        r: the rank of B A; one for all families, or by family.
        dropout: on x.
    """

    r: int | dict[str, int]
    dropout: float

    kind = "HIRA"
    narrow = True
    size = "r"
    formula = "h = W x + (W ⊙ B A) x"
    where = "query and value projections (LLaMA: query, key, value, up and down)"
    trains = "A and B"

    def __post_init__(self) -> None:
        super().__post_init__()
        below_one(dropout=self.dropout)

    def options(self, setting: Setting) -> dict[str, Any]:
        """Of `HiraConfig`."""
        return {"r": self.chosen(setting), "hira_dropout": self.dropout}
