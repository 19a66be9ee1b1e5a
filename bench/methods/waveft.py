"""WaveFT: an update whose wavelet coefficients are trained at a few places.

Bilican et al. 2025, https://arxiv.org/abs/2505.12532.
"""

from dataclasses import dataclass
from typing import Any

from torch import nn

from bench.methods.base import Setting
from bench.methods.fourierft import ShuffledOnce
from bench.methods.shared.ranges import above_zero
from bench.methods.shared.sited_tuner import SitedTuner, keep_beside


@dataclass(kw_only=True)
class WaveFT(SitedTuner):
    """h = (W + scale · D⁻¹(S)) x; D is Haar's wavelet transform, and S `(out, in)` is zero but at n places.

    The places are the same in all layers of a shape; what stands there starts at zero.

    Attributes:
        n: how many entries of S are trained; one for all families, or by family.
        scale: what the update is multiplied with.
    """

    n: int | dict[str, int]
    scale: float

    kind = "WAVEFT"
    number = "n"
    size = "n"
    draws = True
    on_packed = True
    formula = "h = (W + s·D⁻¹(S)) x, S zero but at n places"
    where = "query and value projections"
    trains = "n wavelet coefficients S; their places are drawn from the seed and not stored"

    def __post_init__(self) -> None:
        super().__post_init__()
        above_zero(scale=self.scale)

    def options(self, setting: Setting) -> dict[str, Any]:
        """Of `WaveFTConfig`."""
        return {"n_frequency": self.chosen(setting), "scaling": self.scale, "random_loc_seed": setting.seed}

    def apply(self, model: nn.Module, setting: Setting) -> nn.Module:
        """As any tuner; the places lie where the weights are."""
        with ShuffledOnce(bare=next(model.parameters()).is_meta):
            adapted = super().apply(model, setting)
        return keep_beside(adapted, "waveft_indices")
