"""Super-Tuning: the entries of the base's matrices that are largest are trained.

Ilin, Zmushko, Richtárik 2026, https://arxiv.org/abs/2607.09287: "Super", with magnitudes for scores.
"""

from dataclasses import dataclass, replace
from typing import Any, Self

import torch
from peft.tuners.supertuning.layer import SupertuningLayer
from torch import Tensor, nn

from bench.errors import UserError
from bench.methods.base import Setting
from bench.methods.shared.peft_files import ADAPTER
from bench.methods.shared.peft_library import each, of_family
from bench.methods.shared.ranges import share
from bench.methods.shared.sited_tuner import SitedTuner

GRID = 10_000  # of shares that a budget may choose among


@dataclass(kw_only=True)
class SuperTuning(SitedTuner):
    """h = (W + S) x; S `(out, in)` is zero but where W is largest in magnitude, and starts at zero there too.

    Attributes:
        kept: the share of a matrix's entries that are trained; one for all families, or by family.
    """

    kept: float | dict[str, float]

    kind = "SUPERTUNING"
    formula = "h = (W + S) x, S zero but where |W| is largest"
    where = "query and value projections"
    trains = "the entries of S; their places are found in the base and not stored"

    def check_number(self) -> None:
        """Shares are shares."""
        for kept in each(self.kept):
            share(kept=kept)

    def sizes(self, setting: Setting) -> dict[str, int | float]:
        """The share."""
        return {"kept": of_family(self.kept, setting, "kept")}

    def of_size(self, number: int, setting: Setting) -> Self:
        """So many ten-thousandths of the entries.

        Raises:
            UserError: there would be more than all.
        """
        if number > GRID:
            raise UserError(f"{self.title} trains at most all entries, {GRID} ten-thousandths")
        return replace(self, kept=number / GRID, budget=None)

    def options(self, setting: Setting) -> dict[str, Any]:
        """Of `SupertuningConfig`, which counts what is left alone, and nothing of which is all."""
        return {"sparsity": 1 - of_family(self.kept, setting, "kept")}

    def apply(self, model: nn.Module, setting: Setting) -> nn.Module:
        """As any tuner, with places that every device finds in one order."""
        adapted = super().apply(model, setting)
        for layer in adapted.modules():
            if isinstance(layer, SupertuningLayer) and isinstance(weight := layer.base_layer.weight, Tensor):
                count = len(layer.supertuning_values[ADAPTER])
                if not weight.is_meta:
                    layer.supertuning_indices[ADAPTER] = largest(weight, count)
        return adapted

    def drawn(self, model: nn.Module) -> dict[str, Tensor]:
        """The places: which of equally large entries the library would take depends on the device."""
        layers = ((name, module) for name, module in model.named_modules() if isinstance(module, SupertuningLayer))
        return {f"{name}.supertuning_indices.{ADAPTER}": layer.supertuning_indices[ADAPTER] for name, layer in layers}


@torch.no_grad()
def largest(weight: Tensor, count: int) -> Tensor:
    """Where the `count` largest magnitudes are, in ascending order; of equal ones the first are taken.

    Args:
        weight: of any shape.
        count: up to as many as it has entries.

    Returns:
        Numbers of the flattened weight, int32, as the library keeps them.
    """
    magnitudes = weight.abs().flatten()
    least = magnitudes.topk(count).values[-1]
    above = (magnitudes > least).nonzero().flatten()
    equal = (magnitudes == least).nonzero().flatten()[: count - len(above)]
    return torch.cat([above, equal]).sort().values.to(torch.int32)
