"""Uni-LoRA: all values of all low-rank factors are entries of one trained vector.

Li et al. 2025, https://arxiv.org/abs/2506.00799; code: KaiyangLi1992/Uni-LoRA.
"""

from dataclasses import dataclass
from typing import Any

from peft.tuners.unilora.layer import UniLoraLayer
from torch import nn

from bench.errors import UserError
from bench.methods.base import Setting
from bench.methods.shared.peft_files import ADAPTER
from bench.methods.shared.ranges import at_least_one, below_one, within_hidden_size
from bench.methods.shared.sited_tuner import SitedTuner

VECTOR = "unilora_theta_d"


@dataclass(kw_only=True)
class UniLora(SitedTuner):
    """h = W x + B A x; every entry of A and B is θ[i] / √nᵢ, i drawn for it once, nᵢ the entries that have i.

    θ `(vector_length,)` is one vector for the whole model; the numbers i are drawn so that all occur equally often.

    Attributes:
        r: the rank of B A.
        vector_length: of θ; one for all families, or by family.
        dropout: on x.
    """

    r: int
    vector_length: int | dict[str, int]
    dropout: float

    kind = "UNILORA"
    number = "vector_length"
    size = "vector_length"
    draws = True
    on_packed = True
    identity_at_start = False
    why_not_identity = "θ is drawn from U(−0.02, 0.02), and with it A and B"
    formula = "h = W x + B A x, entries of A and B = θ[i]/√nᵢ"
    where = "query and value projections (LLaMA: all seven linear layers of a block)"
    trains = "the vector θ; the numbers i are drawn from the seed and not stored"

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least_one(r=self.r)
        below_one(dropout=self.dropout)

    def check(self, setting: Setting) -> None:
        """The rank is low."""
        super().check(setting)
        within_hidden_size(setting, r=self.r)

    def options(self, setting: Setting) -> dict[str, Any]:
        """Of `UniLoraConfig`."""
        return {
            "r": self.r, "theta_d_length": self.chosen(setting), "proj_seed": setting.seed,
            "unilora_dropout": self.dropout,
        }  # fmt: skip

    def apply(self, model: nn.Module, setting: Setting) -> nn.Module:
        """As any tuner.

        Raises:
            UserError: the vector has entries that nothing is made of.
        """
        adapted = super().apply(model, setting)
        layers = [module for module in adapted.modules() if isinstance(module, UniLoraLayer)]
        entries = sum(len(layer.unilora_indices_A[ADAPTER].flatten()) for layer in layers)
        entries += sum(len(layer.unilora_indices_B[ADAPTER].flatten()) for layer in layers)
        if layers and self.chosen(setting) > entries:
            raise UserError(
                f"method.vector_length={self.chosen(setting)} exceeds the {entries} entries of all A and B, which it "
                "stands for"
            )
        return adapted

    def name_in_file(self, model: nn.Module, name: str) -> str:
        """The library keeps the vector once, beside the layers."""
        return f"base_model.{VECTOR}" if VECTOR in name else super().name_in_file(model, name)
