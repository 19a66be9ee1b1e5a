"""FourierFT: an update whose spectrum is trained at a few places.

Gao et al. 2024, https://arxiv.org/abs/2405.03003, equations 2 to 4; code: Chaos96/fourierft.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from bench.methods.base import Setting
from bench.methods.shared.peft_library import by_family
from bench.methods.shared.ranges import above_zero
from bench.methods.shared.sited_tuner import SitedTuner, keep_beside


@dataclass(kw_only=True)
class FourierFT(SitedTuner):
    """h = (W + scale · Re(F⁻¹(S))) x; S `(out, in)` is zero but at n places, the same in all layers of a shape.

    Attributes:
        n: how many entries of S are trained; one for all families, or by family.
        scale: by family, what the update is multiplied with.
    """

    n: int | dict[str, int]
    scale: dict[str, float]

    kind = "FOURIERFT"
    number = "n"
    size = "n"
    draws = True
    on_packed = True
    identity_at_start = False
    why_not_identity = "the spectrum is drawn from N(0, 1)"
    formula = "h = (W + s·Re(F⁻¹(S))) x, S zero but at n places"
    where = "query and value projections"
    trains = "n entries of the spectrum S; their places are drawn from the seed and not stored"

    def __post_init__(self) -> None:
        super().__post_init__()
        for scale in self.scale.values():
            above_zero(scale=scale)

    def options(self, setting: Setting) -> dict[str, Any]:
        """Of `FourierFTConfig`."""
        return {
            "n_frequency": self.chosen(setting), "scaling": by_family(self.scale, setting, "scale"),
            "random_loc_seed": setting.seed,
        }  # fmt: skip

    def apply(self, model: nn.Module, setting: Setting) -> nn.Module:
        """As any tuner; the places lie where the weights are."""
        with ShuffledOnce(bare=next(model.parameters()).is_meta):
            adapted = super().apply(model, setting)
        return keep_beside(adapted, "indices")


class ShuffledOnce(TorchFunctionMode):
    """Shuffles as many numbers of one seed once: the library does it anew for each layer, seconds for a wide one."""

    def __init__(self, *, bare: bool) -> None:
        """Without values (`bare`), numbers stay in their order."""
        super().__init__()
        self._bare, self._known = bare, dict[tuple[int, int], Tensor]()

    def __torch_function__(self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Answers `torch.randperm` with a generator of its own; anything else goes on."""
        given = kwargs or {}
        generator = given.get("generator")
        if func is not torch.randperm or generator is None:
            return func(*args, **given)
        key = args[0], generator.initial_seed()
        if key not in self._known:
            self._known[key] = torch.arange(args[0]) if self._bare else func(*args, **given)
        return self._known[key]
