"""WaveFT: an update whose wavelet coefficients are trained at a few places.

Bilican et al. 2025, https://arxiv.org/abs/2505.12532.
"""

from dataclasses import dataclass
from typing import Any

import torch
from peft.tuners.waveft.layer import WaveFTLinear
from torch import Tensor, nn

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
        for module in adapted.modules():
            if type(module) is WaveFTLinear:
                module.__class__ = HaarLinear
        return keep_beside(adapted, "waveft_indices")


class HaarLinear(WaveFTLinear):
    """The library's layer for Haar's wavelets, which need no margin.

    The library (peft 0.21) looks for places outside of the matrix in every step, for which the host waits; there are
    none.
    """

    def get_delta_weight(self, adapter: str) -> Tensor:
        """Scale · D⁻¹(S), `(out, in)`."""
        values: Tensor = self.waveft_spectrum[adapter]
        rows, columns = self.waveft_indices[adapter]
        # A transform is of even sides.
        height, width = self.out_features + self.out_features % 2, self.in_features + self.in_features % 2
        spectrum = values.new_zeros(height, width).index_put((rows, columns), values)
        whole = inverse_haar(spectrum)
        update: Tensor = whole[: self.out_features, : self.in_features] * self.waveft_scaling[adapter]
        return update


def inverse_haar(spectrum: Tensor) -> Tensor:
    """One level of Haar's inverse transform, of a matrix of even sides; the library's copies its filters in every step.

    Args:
        spectrum: shape `(2n, 2m)`: means, and differences between rows, above; between columns, and both, below.
    """
    height, width = spectrum.shape
    upper, lower = spectrum[: height // 2], spectrum[height // 2 :]
    (mean, rows), (columns, both) = (half.split(width // 2, dim=1) for half in (upper, lower))
    pairs = [(mean + rows, columns + both), (mean - rows, columns - both)]
    made = [torch.stack((one + other, one - other), -1) for one, other in pairs]
    return torch.stack(made, 1).reshape(height, width) / 2
