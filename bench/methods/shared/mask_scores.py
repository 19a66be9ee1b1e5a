"""ProPELT's binary masks: the largest scores by magnitude pass, the others do not.

Zeng et al. 2023, https://arxiv.org/abs/2305.17682, section 3.2; ChaosCodes/ProPETL for what the paper leaves open.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from bench.methods.folding import Foldable


def dropped(count: int, keep: float) -> int:
    """How many of `count` entries a mask that keeps the share `keep` drops; rounded as the authors round."""
    return int((1 - keep) * count)


class TopMask(torch.autograd.Function):
    """Ones where |score| is among the largest, zeros elsewhere; backward as if the mask were |score|."""

    @staticmethod
    def forward(ctx: Any, scores: Tensor, keep: float) -> Tensor:
        """The mask, of the scores' shape and dtype."""
        ctx.save_for_backward(scores)
        magnitude = scores.abs()
        drop = dropped(scores.numel(), keep)
        if drop == 0:
            return torch.ones_like(scores)
        # A selection, not a sort: the threshold is the `drop`-th smallest magnitude.
        return (magnitude > magnitude.flatten().kthvalue(drop).values).to(scores.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        """d|s|/ds = sign(s)."""
        (scores,) = ctx.saved_tensors
        return gradients[0] * scores.sign(), None


class MaskScores(Foldable):
    """A mask, trained as scores of the mask's shape and kept as one bit per entry.

    Attributes:
        scores: None once folded, or fixed.
        keep: the share of ones; `sparsity` in the authors' code.
    """

    mask: Tensor

    def __init__(self, shape: tuple[int, ...], keep: float, fan_in: int, device: torch.device) -> None:
        """Scores uniform in ±1/√fan_in, which is Kaiming-uniform with a = √5."""
        super().__init__()
        self.shape, self.keep = shape, keep
        self.scores: nn.Parameter | None = nn.Parameter(torch.empty(shape, device=device))
        nn.init.uniform_(self.scores, -(fan_in**-0.5), fan_in**-0.5)

    def fix(self) -> None:
        """Let the mask stay what it is now, and train no scores."""
        mask = self().detach()
        self.scores = None
        self.register_buffer("mask", mask)

    def forward(self) -> Tensor:
        """The mask as zeros and ones; once per forward pass of the layer it belongs to."""
        if self.scores is None:
            return self.mask
        mask: Tensor = TopMask.apply(self.scores, self.keep)  # type: ignore[no-untyped-call]
        return mask

    def training_parameters(self) -> Iterator[nn.Parameter]:
        """The scores."""
        if self.scores is not None:
            yield self.scores

    def folded(self) -> dict[str, Tensor]:
        """The mask, eight entries to a byte."""
        return {"bits": pack_bits(self().detach() > 0)}

    def folded_count(self) -> float:
        """A bit for each entry."""
        return torch.Size(self.shape).numel() / 32

    def load_folded(self, state: dict[str, Tensor]) -> None:
        """Let the mask take the scores' place."""
        device = self.scores.device if self.scores is not None else self.mask.device
        self.scores = None
        self.register_buffer("mask", unpack_bits(state["bits"].to(device), self.shape).float())


def pack_bits(mask: Tensor) -> Tensor:
    """Booleans of any shape to bytes, the first entry in the lowest bit; zeros fill the last byte."""
    flat = nn.functional.pad(mask.flatten().to(torch.uint8), (0, -mask.numel() % 8))
    weights = 2 ** torch.arange(8, dtype=torch.uint8, device=mask.device)
    return (flat.view(-1, 8) * weights).sum(dim=1, dtype=torch.uint8)


def unpack_bits(bits: Tensor, shape: tuple[int, ...] | torch.Size) -> Tensor:
    """The inverse of `pack_bits`: booleans of `shape`."""
    places = torch.arange(8, dtype=torch.uint8, device=bits.device)
    flat = ((bits.unsqueeze(1) >> places) & 1).flatten()
    return flat[: torch.Size(shape).numel()].view(shape).bool()
