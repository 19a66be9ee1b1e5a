"""ProPELT: one prototype module for all layers, and a trained binary mask for each layer. What its three forms share.

Zeng, Zhang, Lu 2023, https://arxiv.org/abs/2305.17682 (where it is spelled ProPETL); code: ChaosCodes/ProPETL.
"""

from dataclasses import dataclass
from enum import StrEnum

import torch
from torch import Tensor, nn

from bench.errors import UserError
from bench.methods.base import Layer, Method, ParameterGroup
from bench.methods.shared.mask_scores import MaskScores, dropped
from bench.methods.shared.ranges import above_zero, one_of, share
from bench.methods.trainable import trainable_parameters


class Masks(StrEnum):
    """Where a layer's mask comes from: trained scores, scores as they were drawn, or nowhere: all entries pass."""

    learned = "learned"
    fixed = "fixed"
    none = "none"


@dataclass(kw_only=True)
class Propelt(Method):
    """What the three have in common.

    Attributes:
        keep: the share of the prototype's entries that a layer's mask lets pass; `sparsity` in the authors' code.
        mask_learning_rate: of the mask scores; the prototype has the cell's.
        masks: "learned", "fixed" (a mask stays what the learned one starts as) or "none".
        shared: one prototype for all layers; false: each layer has its own.
    """

    keep: float
    mask_learning_rate: float
    masks: Masks = Masks.learned
    shared: bool = True

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
        self.masks = one_of(Masks, masks=self.masks)

    def parameter_groups(self, model: nn.Module) -> list[ParameterGroup]:
        """The mask scores, if there are any, at their own learning rate, the rest at the cell's."""
        scores = {id(m.scores) for m in model.modules() if isinstance(m, MaskScores)}
        trained = list(trainable_parameters(model))
        groups = [ParameterGroup([(name, p) for name, p in trained if id(p) not in scores])]
        if self.masks == Masks.learned:
            own = [(name, p) for name, p in trained if id(p) in scores]
            groups.append(ParameterGroup(own, self.mask_learning_rate))
        return groups

    def new_mask(self, shape: tuple[int, ...], fan_in: int, device: torch.device) -> MaskScores | None:
        """The mask of one tensor of the prototype in one layer; None: all passes.

        Raises:
            UserError: `keep` is so small that nothing passes.
        """
        if self.masks == Masks.none:
            return None
        count = torch.Size(shape).numel()
        if dropped(count, self.keep) == count:
            raise UserError(f"method.keep={self.keep} keeps none of {count} entries")
        mask = MaskScores(shape, self.keep, fan_in, device)
        if self.masks == Masks.fixed:
            mask.fix()
        return mask


def masked(tensor: Tensor, mask: MaskScores | None) -> Tensor:
    """What a layer's mask lets pass of a tensor of the prototype."""
    return tensor if mask is None else tensor * mask()
