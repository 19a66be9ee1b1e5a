"""AdaLoRA: low-rank updates in the form of a singular value decomposition, whose ranks are allotted in training.

Zhang et al. 2023, https://arxiv.org/abs/2303.10512; code: QingruZhang/AdaLoRA.
"""

from dataclasses import dataclass, replace
from typing import Self

import peft
from torch import Tensor, nn

from bench.errors import UserError
from bench.methods.base import Setting
from bench.methods.shared.peft_library import PeftMethod, by_family
from bench.methods.shared.ranges import above_zero, at_least_one, below_one, not_negative, within_hidden_size
from bench.methods.shared.reallotment import (
    SHORTEST,
    load_reallotment_state,
    reallot,
    reallotment_state,
    tuner_with_its_loss,
)  # fmt: skip


@dataclass(kw_only=True)
class AdaLora(PeftMethod):
    """h = W x + (alpha / r) P Λ Q x with Λ diagonal, zero at the start; ‖PᵀP − I‖ + ‖QQᵀ − I‖ is added to the loss.

    Steps up to `warmup` of the training keep the initial rank; then the budget falls cubically to `target_r` per layer
    on average, by setting the least important singular values to zero; the last `final` of the steps keep the ranks.

    Attributes:
        init_r: the rank at the start.
        target_r: the mean rank at the end.
        alpha: the scale's numerator.
        dropout: on x.
        warmup: share of the steps before the first pruning.
        final: share of the steps after the last one.
        interval: steps between two prunings.
        orthogonality: weight of the added loss.
        adaptive: whether ranks are allotted; else every layer has `target_r` from the start to the end.
        sites: by family, which linear layers; see `bench.models.structure.SITES`.
    """

    init_r: int
    target_r: int
    alpha: float
    dropout: float
    warmup: float
    final: float
    interval: int
    orthogonality: float
    sites: dict[str, list[str]]
    adaptive: bool = True

    size = "init_r"
    stacks = adds = True
    mergeable = True
    formula = "h = W x + (α/r) P Λ Q x"
    where = "query and value projections"
    trains = "P, Λ and Q"

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least_one(init_r=self.init_r, target_r=self.target_r, interval=self.interval)
        if self.target_r > self.init_r:
            raise UserError(f"method.target_r={self.target_r} exceeds method.init_r={self.init_r}")
        above_zero(alpha=self.alpha)
        not_negative(orthogonality=self.orthogonality)
        below_one(warmup=self.warmup, final=self.final, dropout=self.dropout)
        if self.warmup + self.final >= 1:
            raise UserError(f"method.warmup={self.warmup} + method.final={self.final} leave no steps between them")

    def of_size(self, number: int, setting: Setting) -> Self:
        """The rank at the start, at which it is counted, and the one at the end in proportion."""
        if not self.adaptive:
            return replace(self, init_r=max(number, self.init_r), target_r=number, budget=None)
        target = max(1, round(number * self.target_r / self.init_r))
        return replace(self, init_r=number, target_r=target, budget=None)

    def sizes(self, setting: Setting) -> dict[str, int | float]:
        """Both ranks, or the only one."""
        return {"init_r": self.init_r, "target_r": self.target_r} if self.adaptive else {"target_r": self.target_r}

    def check(self, setting: Setting) -> None:
        """A rank above the hidden size is no longer low."""
        super().check(setting)
        within_hidden_size(setting, init_r=self.init_r)
        if setting.total_steps < SHORTEST:
            raise UserError(f"AdaLoRA needs {SHORTEST} optimizer steps or more, this cell has {setting.total_steps}")

    def peft_config(self, setting: Setting) -> peft.PeftConfig:
        """AdaLoraConfig on the full paths of the sites, its schedule in steps."""
        # The library prunes at the end of the schedule by what it has seen in a step before; short trial runs have few.
        final = min(int(self.final * setting.total_steps), setting.total_steps - SHORTEST)
        return peft.AdaLoraConfig(
            init_r=self.init_r if self.adaptive else self.target_r,
            target_r=self.target_r,
            lora_alpha=self.alpha,  # type: ignore[arg-type]  # annotated int, used as a number
            lora_dropout=self.dropout,
            tinit=min(int(self.warmup * setting.total_steps), setting.total_steps - final - 1),
            tfinal=final,
            deltaT=self.interval,
            orth_reg_weight=self.orthogonality,
            total_step=setting.total_steps,
            target_modules=setting.structure.paths(by_family(self.sites, setting, "sites")),
        )

    def apply(self, model: nn.Module, setting: Setting) -> nn.Module:
        """The library's tuner, whose forward pass adds the orthogonality to the loss."""
        wrapped = super().apply(model, setting)
        assert isinstance(wrapped, peft.PeftModel)
        return tuner_with_its_loss(wrapped)

    def after_step(self, model: nn.Module, step: int) -> None:
        """Weigh the singular values, and at the interval drop the least important ones."""
        reallot(model, step)

    def extra_state(self, model: nn.Module) -> dict[str, Tensor]:
        """Which singular values are left, and the averages that the next pruning goes by."""
        return reallotment_state(model)

    def load_extra_state(self, model: nn.Module, state: dict[str, Tensor]) -> None:
        """Put both back."""
        load_reallotment_state(model, state)
