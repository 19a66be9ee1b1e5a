"""SHiRA: few entries of the base's matrices are trained, at random places.

Bhardwaj et al. 2024, https://arxiv.org/abs/2406.13175, section 3: SHiRA-Rand.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import peft
import torch
from peft.tuners.shira.layer import Linear
from torch import Tensor, nn

from bench.methods.base import Setting
from bench.methods.shared.peft_files import ADAPTER
from bench.methods.shared.sited_tuner import SitedTuner, keep_beside


@dataclass(kw_only=True)
class Shira(SitedTuner):
    """h = (W + S) x; S `(out, in)` is zero but at r (in + out) random places, as many as LoRA of rank r trains.

    Attributes:
        r: the number of entries of S, divided by inputs and outputs together; one for all families, or by family.
    """

    r: int | dict[str, int]

    kind = "SHIRA"
    size = "r"
    draws = True
    formula = "h = (W + S) x, S zero but at random places"
    where = "query and value projections (LLaMA: query, key, value, up and down)"
    trains = "the entries of S; their places are drawn from the seed and not stored"

    def options(self, setting: Setting) -> dict[str, Any]:
        """Of `ShiraConfig`."""
        return {"r": self.chosen(setting)}

    def peft_config(self, setting: Setting) -> peft.PeftConfig:
        """With places of our own: the library's (peft 0.21) are the same in all layers of a shape."""
        config: Any = super().peft_config(setting)
        config.mask_fn = _places(setting.seed)
        return config  # type: ignore[no-any-return]

    def apply(self, model: nn.Module, setting: Setting) -> nn.Module:
        """As any tuner; the places lie where the weights are."""
        adapted = keep_beside(super().apply(model, setting), "shira_indices")
        for module in adapted.modules():
            if type(module) is Linear:
                module.__class__ = DenseLinear
        return adapted

    def drawn(self, model: nn.Module) -> dict[str, Tensor]:
        """The places, which the library cannot draw from a seed for each layer anew."""
        layers = ((name, module) for name, module in model.named_modules() if isinstance(module, Linear))
        return {f"{name}.shira_indices.{ADAPTER}": layer.shira_indices[ADAPTER] for name, layer in layers}


class DenseLinear(Linear):
    """The library's layer, whose S is a dense matrix from the start; a sparse one cannot be followed without values."""

    def get_delta_weight(self, adapter: str) -> Tensor:
        """S, `(out, in)`."""
        values: Tensor = self.shira_weight[adapter]
        rows, columns = self.shira_indices[adapter].long()
        return values.new_zeros(self.out_features, self.in_features).index_put((rows, columns), values)


def _places(seed: int) -> Callable[..., Tensor]:
    """What draws a layer's places, one layer after the other."""
    generator = torch.Generator().manual_seed(seed)

    def draw(layer: Any, r: int, **_: Any) -> Tensor:
        """A mask `(out, in)`, on the processor; where nothing has values, one of as many places."""
        outputs, inputs = layer.out_features, layer.in_features
        count, total = r * (outputs + inputs), outputs * inputs
        if layer.weight.is_meta or count > total:  # which the library refuses
            return torch.ones(1, count, dtype=torch.bool)
        mask = torch.zeros(total, dtype=torch.bool)
        mask[_some(count, total, generator)] = True
        return mask.view(outputs, inputs)

    return draw


def _some(count: int, total: int, generator: torch.Generator) -> Tensor:
    """`count` different numbers below `total`; few of many are found faster than all are shuffled."""
    if 2 * count > total:
        return torch.randperm(total, generator=generator)[:count]
    found = torch.empty(0, dtype=torch.int64)
    while len(found) < count:
        found = torch.cat([found, torch.randint(total, (count,), generator=generator)]).unique()
    return found[torch.randperm(len(found), generator=generator)[:count]]
