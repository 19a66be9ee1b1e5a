"""ProPELT's prefix: one prefix shared by all layers, under a mask for each.

Zeng, Zhang, Lu 2023, https://arxiv.org/abs/2305.17682 (where it is spelled ProPETL); code: ChaosCodes/ProPETL.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor, nn

from bench.methods.prefix import FoldingTable, PrefixNetwork, ThroughNetwork
from bench.methods.shared.mask_scores import MaskScores
from bench.methods.shared.propelt import Propelt, masked
from bench.methods.shared.ranges import at_least_one


class MaskedPrefix(nn.Module):
    """The prefix of one attention: the shared table under this layer's mask."""

    def __init__(self, prototype: FoldingTable, mask: MaskScores | None) -> None:
        super().__init__()
        self.prototype, self.mask = prototype, mask

    def forward(self) -> tuple[Tensor, Tensor]:
        """Keys and values, each `(length, width)`."""
        keys, values = masked(self.prototype(), self.mask).chunk(2, dim=-1)
        return keys, values


@dataclass(kw_only=True)
class PropeltPrefix(ThroughNetwork, Propelt):
    """One prefix for all layers, from one network; a mask per layer on its output."""

    formula = "softmax(q [(M∘P)_k; K]ᵀ) [(M∘P)_v; V], P = W₂ tanh(W₁ E)"

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least_one(inner=self.inner)  # type: ignore[arg-type]  # null is refused: the prototype comes from a network

    def network_width(self, layers: int, width: int) -> int:
        """Keys and values of one layer, or where they share none, of all."""
        return 2 * width if self.shared else layers * 2 * width

    def prefixes(self, network: PrefixNetwork, layers: int, width: int) -> Iterator[nn.Module]:
        """The prototype that the network gives, under a mask for each layer."""
        outputs, device = 2 * width, network.embedding.weight.device
        # The authors keep the scores of all layers in one tensor (layers, length, outputs), hence the fan-in.
        fan_in = self.length * outputs
        prototype = FoldingTable(network)
        for layer in range(layers):
            if not self.shared:
                prototype = FoldingTable(network, slice(layer * outputs, (layer + 1) * outputs))
            yield MaskedPrefix(prototype, self.new_mask((self.length, outputs), fan_in, device))
