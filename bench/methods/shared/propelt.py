"""ProPELT: one prototype module for all layers, and a trained binary mask for each layer. What its three forms share.

Zeng, Zhang, Lu 2023, https://arxiv.org/abs/2305.17682 (where it is spelled ProPETL); code: ChaosCodes/ProPETL.
"""

from dataclasses import dataclass

import torch
from torch import nn

from bench.errors import UserError
from bench.methods.base import Layer, Method, ParameterGroup
from bench.methods.shared.mask_scores import MaskScores, dropped
from bench.methods.shared.ranges import above_zero, share
from bench.methods.trainable import trainable_parameters


@dataclass(kw_only=True)
class Propelt(Method):
    """What the three have in common.

    Attributes:
        keep: the share of the prototype's entries that a layer's mask lets pass; `sparsity` in the authors' code.
        mask_learning_rate: of the mask scores; the prototype has the cell's.
    """

    keep: float
    mask_learning_rate: float

    layer = Layer.activations
    trains = "the prototype and every layer's mask scores"
    without_gradient = (
        ("prototype", "entries that no layer's mask lets pass"),
        ("scores", "scores of entries that are zero (LoRA's B at the start), or of units whose ReLU lets nothing pass"),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        share(keep=self.keep)
        above_zero(mask_learning_rate=self.mask_learning_rate)

    def parameter_groups(self, model: nn.Module) -> list[ParameterGroup]:
        """The mask scores at their own learning rate, the rest at the cell's."""
        scores = {id(m.scores) for m in model.modules() if isinstance(m, MaskScores)}
        trained = list(trainable_parameters(model))
        return [
            ParameterGroup([(name, p) for name, p in trained if id(p) not in scores]),
            ParameterGroup([(name, p) for name, p in trained if id(p) in scores], self.mask_learning_rate),
        ]

    def new_mask(self, shape: tuple[int, ...], fan_in: int, device: torch.device) -> MaskScores:
        """Scores for one tensor of the prototype.

        Raises:
            UserError: `keep` is so small that nothing passes.
        """
        count = torch.Size(shape).numel()
        if dropped(count, self.keep) == count:
            raise UserError(f"method.keep={self.keep} keeps none of {count} entries")
        return MaskScores(shape, self.keep, fan_in, device)
