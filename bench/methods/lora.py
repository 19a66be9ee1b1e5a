"""LoRA: a trained low-rank update beside frozen linear layers.

Hu et al. 2022, https://arxiv.org/abs/2106.09685, equation 3.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import peft

from bench.errors import UserError
from bench.methods.base import Setting
from bench.methods.shared.peft_library import AtSites, by_family, each, of_family
from bench.methods.shared.ranges import above_zero, at_least_one, below_one, one_of, within_hidden_size
from bench.models.structure import EXPERT_SITES


class Initialisation(StrEnum):
    """What B starts from: zero, so that the model starts as the base, or drawn like A."""

    zero_b = "zero_b"
    random = "random"


@dataclass(kw_only=True)
class Lora(AtSites):
    """h = W x + (alpha / r) B A x, with A `(r, in)` random, B `(out, r)` zero, W frozen.

    Attributes:
        r: the rank; one for all families, or by family.
        alpha: the scale's numerator; one for all families, or by family; None: r, for a scale of 1.
        dropout: on x, before A.
        sites: by family, which linear layers, see `bench.models.structure.SITES`, and which parameters of experts, see
            `EXPERT_SITES` there: each expert then has an A and a B of its own, of rank r.
        b_rate: what B's learning rate is multiplied with, null: nothing; above 1 in LoRA+ (Hayou et al. 2024,
            https://arxiv.org/abs/2402.12354, which takes 16).
        scaled: whether B A x is multiplied with alpha / r; else it is taken as it is.
        initialisation: "zero_b" or "random".
    """

    r: int | dict[str, int]
    alpha: float | dict[str, float] | None
    dropout: float
    b_rate: float | None = None
    scaled: bool = True
    initialisation: Initialisation = Initialisation.zero_b

    size = "r"
    shardable = True
    stacks = adds = True
    mergeable = True
    formula = "h = W x + (α/r) B A x"
    where = "query and value projections (LLaMA: all seven linear layers of a block)"
    trains = "A and B"

    def __post_init__(self) -> None:
        super().__post_init__()
        for rank in each(self.r):
            at_least_one(r=rank)
        if self.alpha is not None:
            for alpha in each(self.alpha):
                above_zero(alpha=alpha)
        if self.b_rate is not None:
            above_zero(b_rate=self.b_rate)
        below_one(dropout=self.dropout)
        self.initialisation = one_of(Initialisation, initialisation=self.initialisation)
        if self.initialisation == Initialisation.random:
            self.identity_at_start, self.why_not_identity = False, "B is drawn at random too"

    def check(self, setting: Setting) -> None:
        """A rank above the hidden size is no longer low."""
        super().check(setting)
        within_hidden_size(setting, r=self.rank(setting))
        if self.dropout and (of_experts := self._sites(setting)[1]):
            raise UserError(
                f"method.dropout={self.dropout} is not offered at the site {of_experts[0]}: the update is added to the "
                "experts' weights, not to their outputs; say method.dropout=0"
            )

    def sizes(self, setting: Setting) -> dict[str, int | float]:
        """The rank."""
        return {"r": self.rank(setting)}

    def rank(self, setting: Setting) -> int:
        """The rank for this model's family."""
        return of_family(self.r, setting, "r")

    def numerator(self, setting: Setting) -> float:
        """Alpha for this model's family."""
        return self.rank(setting) if self.alpha is None else of_family(self.alpha, setting, "alpha")

    def rate_multipliers(self) -> dict[str, float]:
        """B's, where it is another."""
        return {} if self.b_rate in (None, 1) else {"lora_B": self.b_rate}

    def peft_config(self, setting: Setting) -> peft.PeftConfig:
        """LoraConfig on the full paths of the sites."""
        linears, of_experts = self._sites(setting)
        alpha = self.numerator(setting) if self.scaled else self.rank(setting)
        return peft.LoraConfig(
            r=self.rank(setting),
            lora_alpha=alpha,  # type: ignore[arg-type]  # annotated int, used as a number
            lora_dropout=self.dropout,
            target_modules=setting.structure.paths(linears),
            target_parameters=setting.structure.expert_parameters(of_experts) or None,
            **self.options(),
        )

    def options(self) -> dict[str, Any]:
        """What else the library's configuration says; of LoRA's kin, what makes them others."""
        return {"init_lora_weights": self.initialisation == Initialisation.zero_b}

    def _sites(self, setting: Setting) -> tuple[list[str], list[str]]:
        """Those of linear layers, and those of experts."""
        sites = by_family(self.sites, setting, "sites")
        return [s for s in sites if s not in EXPERT_SITES], [s for s in sites if s in EXPERT_SITES]
