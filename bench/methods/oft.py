"""OFT: a layer's inputs are turned, block by block, by trained rotations.

Qiu et al. 2023, https://arxiv.org/abs/2306.07280; here its second form, which turns the inputs in place of the weights:
Qiu et al. 2025, https://arxiv.org/abs/2506.19847.
"""

from dataclasses import dataclass, replace
from typing import Any, Self

from torch import nn

from bench.errors import UserError
from bench.methods.base import Setting
from bench.methods.shared.peft_files import ADAPTER
from bench.methods.shared.ranges import divisor, not_negative
from bench.methods.shared.sited_tuner import SitedTuner


@dataclass(kw_only=True)
class Oft(SitedTuner):
    """h = W R x, R orthogonal in blocks: (I + Q)(I − Q)⁻¹ with Q skew-symmetric, zero at the start.

    Attributes:
        block_size: divides the inputs of every site; one for all families, or by family.
        neumann_terms: of the series that stands for the inverse; 0: the inverse itself.
    """

    block_size: int | dict[str, int]
    neumann_terms: int

    kind = "OFT"
    number = "block_size"
    on_packed = True
    formula = "h = W R x, R = (I + Q)(I − Q)⁻¹ in blocks, Qᵀ = −Q"
    where = "all linear layers of a block"
    trains = "the entries of Q above its diagonal"

    def __post_init__(self) -> None:
        super().__post_init__()
        not_negative(neumann_terms=self.neumann_terms)

    def check(self, setting: Setting) -> None:
        """A block of one has nothing to turn; the width is whole blocks."""
        super().check(setting)
        size, width = self.chosen(setting), setting.structure.hidden_size
        if size < 2 or width % size:
            raise UserError(f"method.block_size={size} must be 2 or more and divide the hidden size {width}")

    def of_size(self, number: int, setting: Setting) -> Self:
        """The so-many-th divisor of the hidden size, from 2 on, as the size of a block.

        Raises:
            UserError: it has fewer.
        """
        return replace(self, block_size=divisor(number, 2, self.title, setting), budget=None)

    def options(self, setting: Setting) -> dict[str, Any]:
        """Of `OFTConfig`."""
        series = {"num_cayley_neumann_terms": self.neumann_terms} if self.neumann_terms else {}
        return {
            "r": 0, "oft_block_size": self.chosen(setting), "use_cayley_neumann": bool(self.neumann_terms), **series
        }  # fmt: skip

    def apply(self, model: nn.Module, setting: Setting) -> nn.Module:
        """As any tuner.

        Raises:
            UserError: a site's inputs are not whole blocks; the library would take another size there.
        """
        adapted, asked = super().apply(model, setting), self.chosen(setting)
        for path, module in adapted.named_modules():
            found = getattr(module, "oft_block_size", {}).get(ADAPTER, asked)
            if found != asked:
                raise UserError(f"method.block_size={asked} does not divide the {module.in_features} inputs of {path}")
        return adapted
