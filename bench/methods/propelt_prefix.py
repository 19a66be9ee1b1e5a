"""ProPELT's prefix: one prefix shared by all layers, under a mask for each.

Zeng, Zhang, Lu 2023, https://arxiv.org/abs/2305.17682 (where it is spelled ProPETL); code: ChaosCodes/ProPETL.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor, nn

from bench.methods.folding import Foldable
from bench.methods.prefix import PrefixNetwork, ThroughNetwork
from bench.methods.shared.mask_scores import MaskScores
from bench.methods.shared.propelt import Propelt


class PrefixPrototype(Foldable):
    """The table `(length, 2 · width)` of all layers: from a network while training, by itself once folded."""

    table: Tensor

    def __init__(self, network: PrefixNetwork) -> None:
        super().__init__()
        self.network: PrefixNetwork | None = network
        self.count = network.embedding.num_embeddings * network.output.out_features

    def forward(self) -> Tensor:
        """The table."""
        return self.table if self.network is None else self.network(slice(None))

    def training_parameters(self) -> Iterator[nn.Parameter]:
        """The network's."""
        return iter(()) if self.network is None else self.network.parameters()

    def folded(self) -> dict[str, Tensor]:
        """The table."""
        return {"table": self().detach()}

    def folded_count(self) -> float:
        """Its entries."""
        return self.count

    def load_folded(self, state: dict[str, Tensor]) -> None:
        """Let the table take the network's place."""
        device = self().device
        self.network = None
        self.register_buffer("table", state["table"].to(device))


class MaskedPrefix(nn.Module):
    """The prefix of one attention: the shared table under this layer's mask."""

    def __init__(self, prototype: PrefixPrototype, mask: MaskScores) -> None:
        super().__init__()
        self.prototype, self.mask = prototype, mask

    def forward(self) -> tuple[Tensor, Tensor]:
        """Keys and values, each `(length, width)`."""
        keys, values = (self.prototype() * self.mask()).chunk(2, dim=-1)
        return keys, values


@dataclass(kw_only=True)
class PropeltPrefix(ThroughNetwork, Propelt):
    """One prefix for all layers, from one network; a mask per layer on its output."""

    formula = "softmax(q [(M∘P)_k; K]ᵀ) [(M∘P)_v; V], P = W₂ tanh(W₁ E)"

    def network_width(self, layers: int, width: int) -> int:
        """Keys and values of one layer."""
        return 2 * width

    def prefixes(self, network: PrefixNetwork, layers: int, width: int) -> Iterator[nn.Module]:
        """The prototype that the network gives, under a mask for each layer."""
        prototype, outputs, device = PrefixPrototype(network), 2 * width, network.embedding.weight.device
        # The authors keep the scores of all layers in one tensor (layers, length, outputs), hence the fan-in.
        fan_in = self.length * outputs
        for _ in range(layers):
            yield MaskedPrefix(prototype, self.new_mask((self.length, outputs), fan_in, device))
