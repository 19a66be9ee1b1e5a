"""LN tuning: train the norms, and nothing else.

Zhao et al. 2023, https://arxiv.org/abs/2312.11420.
"""

from dataclasses import dataclass

import peft
from peft.tuners.ln_tuning.layer import LNTuningLayer
from torch import nn

from bench.methods.base import Setting
from bench.methods.library.places import fix_targets
from bench.methods.shared.peft_library import PeftMethod


@dataclass(kw_only=True)
class NormTuning(PeftMethod):
    """y = g ⊙ (x − mean) / deviation + b with g and b trained; an RMSNorm has neither mean nor b."""

    mergeable = True
    formula = "y = g ⊙ norm(x) + b, only g and b trained"
    where = "every LayerNorm or RMSNorm outside of the task head"
    trains = "gains and, where a norm has one, biases"

    def peft_config(self, setting: Setting) -> peft.PeftConfig:
        """The library's configuration; its targets are found in the model."""
        return peft.LNTuningConfig()

    def apply(self, model: nn.Module, setting: Setting) -> nn.Module:
        """Wrap `model`; the library trains a copy of every norm."""
        config = self.peft_config(setting)
        fix_targets("LN_TUNING", config, model, setting)
        return self._wrap(model, config)


def replaced(model: nn.Module) -> set[int]:
    """The ids of the norms' parameters in whose place copies are used and trained."""
    layers = [module for module in model.modules() if isinstance(module, LNTuningLayer)]
    return {id(parameter) for layer in layers for parameter in layer.get_base_layer().parameters()}
