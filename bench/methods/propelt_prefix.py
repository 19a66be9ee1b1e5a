"""ProPELT's prefix: one prefix shared by all layers, under a mask for each.

Zeng, Zhang, Lu 2023, https://arxiv.org/abs/2305.17682 (where it is spelled ProPETL); code: ChaosCodes/ProPETL.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor, nn

from bench.methods.base import Setting
from bench.methods.folding import Foldable
from bench.methods.prefix import PrefixNetwork, ThroughNetwork, key_width, kinds
from bench.methods.shared.mask_scores import MaskScores
from bench.methods.shared.prefixed_attention import CHILD, use_prefixed_attention
from bench.methods.shared.propelt import Propelt
from bench.methods.trainable import freeze


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

    def apply(self, model: nn.Module, setting: Setting) -> nn.Module:
        """Freeze the base; one prototype for each kind of attention, as in the authors' code, and masks per layer."""
        freeze(model)
        use_prefixed_attention(model)
        device = next(model.parameters()).device
        for attentions in kinds(setting.structure):
            outputs = 2 * key_width(model, attentions[0])
            network = PrefixNetwork(self.length, setting.structure.hidden_size, self.inner, outputs, device)
            prototype = PrefixPrototype(network)
            # The authors keep the scores of all layers in one tensor (layers, length, outputs), hence the fan-in.
            fan_in = self.length * outputs
            for attention in attentions:
                mask = self.new_mask((self.length, outputs), fan_in, device)
                model.get_submodule(attention.core).add_module(CHILD, MaskedPrefix(prototype, mask))
        return model
