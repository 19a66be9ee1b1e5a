"""Nothing is trained, the task head neither: the pretrained model as it is, for the row that all others are above."""

from dataclasses import dataclass

from torch import nn

from bench.methods.base import Layer, Method, Setting


@dataclass(kw_only=True)
class Untuned(Method):
    """The base is scored and not trained. A fresh head is as it was drawn, and guesses."""

    trains_anything = False
    shardable = True
    mergeable = True
    layer = Layer.weights
    formula = "W"
    where = "nowhere"
    trains = "nothing, the task head neither"

    def apply(self, model: nn.Module, setting: Setting) -> nn.Module:
        """Let no parameter require gradients."""
        return model.requires_grad_(False)

    def merge(self, model: nn.Module, setting: Setting) -> nn.Module:
        """It is the base."""
        return model
