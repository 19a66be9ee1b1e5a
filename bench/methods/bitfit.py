"""BitFit: train the biases, and nothing else.

Ben Zaken, Ravfogel, Goldberg 2022, https://arxiv.org/abs/2106.10199. Their code (benzakenelad/BitFit) selects every
parameter whose name contains "bias".
"""

from dataclasses import dataclass

import torch
from torch import nn

from bench.configuration.schema import Family, Quantisation
from bench.errors import UnsupportedError, UserError
from bench.methods.base import Layer, Method, Setting
from bench.methods.trainable import freeze, trainable_parameters
from bench.models.fused import layers_at

PACKED = {
    Quantisation.nf4: "four-bit layers have biases in bf16 only",
    Quantisation.int8: "a GPU's eight-bit layers add their biases in fp16",
}


@dataclass(kw_only=True)
class BitFit(Method):
    """y = W x + b with W frozen and b trained, in every linear layer and every LayerNorm.

    Encoders (BERT, RoBERTa) have biases in all of these places. T5 and LLaMA have (almost) none: there a bias of
    zeros is added to every linear layer of every block, and these are trained. Adding them changes nothing at the
    start, and the method stays what it is elsewhere: a trained offset per output unit.
    """

    shardable = True
    mergeable = True
    layer = Layer.weights
    formula = "y = W x + b, only b trained"
    where = "every linear layer and LayerNorm (T5, LLaMA: every linear layer, bias added)"
    trains = "every parameter whose name contains 'bias'"
    without_gradient = (
        ("key.bias", "it shifts all scores of a query alike: its gradient is but rounding; the authors count it"),
        (".k.bias", "likewise (T5)"),
    )
    differences = ("T5 and LLaMA have no biases to train: zeros are added to every linear layer of every block",)

    def check(self, setting: Setting) -> None:
        """Packed layers add their biases in 16 bits, which have no digits for small updates."""
        super().check(setting)
        if setting.quantisation != Quantisation.none:
            raise UnsupportedError(f"{self.title} on {setting.quantisation}: {PACKED[setting.quantisation]}")

    def apply(self, model: nn.Module, setting: Setting) -> nn.Module:
        """Freeze all, add the biases that the family lacks, and let the biases require gradients."""
        freeze(model)
        structure = setting.structure
        if setting.family != Family.encoder and structure.missing is None:
            for path in structure.linears:
                for linear in layers_at(model, path):
                    _add_bias(linear)
        for name, parameter in model.named_parameters():
            if "bias" in name and parameter.is_floating_point() and "relative_attention_bias" not in name:
                parameter.requires_grad_(True)
        if not any(True for _ in trainable_parameters(model)):
            raise UnsupportedError(structure.missing or f"{self.title}: this model has no biases")
        return model

    def merge(self, model: nn.Module, setting: Setting) -> nn.Module:
        """An encoder's biases are weights of the base already; biases that were added have no place in its class."""
        if setting.family != Family.encoder:
            raise UserError(f"{self.title} cannot be merged here: the base model's own class has no biases")
        return model


def _add_bias(linear: nn.Module) -> None:
    """Give a linear layer without a bias one of zeros, `(out_features,)`."""
    if getattr(linear, "bias", None) is None:
        weight = linear.weight
        assert isinstance(weight, nn.Parameter)
        size = linear.out_features
        assert isinstance(size, int)
        linear.bias = nn.Parameter(torch.zeros(size, dtype=weight.dtype, device=weight.device))
