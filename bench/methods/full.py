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
    without_gradient = (
        ("embed", "rows of tokens and positions that no text of a batch has"),
        ("shared", "rows of tokens that no text of a batch has (T5)"),
        ("key.bias", "it shifts all scores of a query alike: its gradient is but rounding"),
        ("relative_attention_bias", "distances that no text of a batch spans (T5)"),
    )

    def apply(self, model: nn.Module, setting: Setting) -> nn.Module:
        """Let every parameter require gradients."""
        for parameter in model.parameters():
            parameter.requires_grad_(True)
        return model

    def merge(self, model: nn.Module, setting: Setting) -> nn.Module:
        """The trained model is its own merged form."""
        return model
