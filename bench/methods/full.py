"""Full fine-tuning: every parameter of the pretrained model is trained. The baseline of all tables."""

from dataclasses import dataclass

from torch import nn

from bench.methods.base import Layer, Method, Setting


@dataclass(kw_only=True)
class FullFineTuning(Method):
    """All weights of the base model are updated; nothing is added."""

    shardable = True
    mergeable = True
    trains_base = True
    layer = Layer.weights
    formula = "W ← W + ΔW"
    where = "everywhere"
    trains = "every parameter"

    def apply(self, model: nn.Module, setting: Setting) -> nn.Module:
        """Let every parameter require gradients."""
        for parameter in model.parameters():
            parameter.requires_grad_(True)
        return model

    def merge(self, model: nn.Module, setting: Setting) -> nn.Module:
        """The trained model is its own merged form."""
        return model
