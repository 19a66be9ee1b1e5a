"""Prefixes in keys and values, trained through a network: one half of the MAM adapter.

Li and Liang 2021, https://arxiv.org/abs/2101.00190, section 4.3, in the form of He et al. 2022,
https://arxiv.org/abs/2110.04366 (jxhe/unify-parameter-efficient-tuning).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from bench.errors import UnsupportedError, UserError
from bench.methods.base import Layer, Method, Setting
from bench.methods.folding import Foldable
from bench.methods.shared.prefixed_attention import ATTENTION_LIMIT, ROW_LIMIT, put_prefix, use_prefixed_attention
from bench.methods.shared.ranges import at_least_one
from bench.methods.trainable import freeze
from bench.models.fused_rows import width_of
from bench.models.structure import Attention, Structure


class PrefixNetwork(nn.Module):
    """Embedding `(length, hidden)` → Linear `inner` → tanh → Linear `outputs`, giving `(length, outputs)`."""

    def __init__(self, length: int, hidden: int, inner: int, outputs: int, device: torch.device) -> None:
        super().__init__()
        self.embedding = nn.Embedding(length, hidden, device=device)
        self.inner = nn.Linear(hidden, inner, device=device)
        self.output = nn.Linear(inner, outputs, device=device)

    def forward(self, columns: slice) -> Tensor:
        """The prefix's `columns`, `(length, columns)`; only these are computed."""
        inner = torch.tanh(self.inner(self.embedding.weight))
        return nn.functional.linear(inner, self.output.weight[columns], self.output.bias[columns])


class NetworkPrefix(Foldable):
    """The prefix of one attention: its columns of a network that is shared between layers; folded, a table."""

    keys: Tensor
    values: Tensor

    def __init__(self, network: PrefixNetwork, index: int, width: int) -> None:
        super().__init__()
        self.network: PrefixNetwork | None = network
        self.columns = slice(index * 2 * width, (index + 1) * 2 * width)
        self.length, self.width = network.embedding.num_embeddings, width

    def forward(self) -> tuple[Tensor, Tensor]:
        """Keys and values, each `(length, width)`."""
        if self.network is None:
            return self.keys, self.values
        keys, values = self.network(self.columns).chunk(2, dim=-1)
        return keys, values

    def training_parameters(self) -> Iterator[nn.Parameter]:
        """The network's."""
        return iter(()) if self.network is None else self.network.parameters()

    def folded(self) -> dict[str, Tensor]:
        """The table: keys and values."""
        keys, values = self()
        return {"keys": keys.detach().contiguous(), "values": values.detach().contiguous()}

    def folded_count(self) -> float:
        """Keys and values."""
        return 2 * self.length * self.width

    def load_folded(self, state: dict[str, Tensor]) -> None:
        """Let the table take the network's place."""
        device = next(self.network.parameters()).device if self.network is not None else self.keys.device
        self.network = None
        for name in ("keys", "values"):
            self.register_buffer(name, state[name].to(device))


class FoldingTable(Foldable):
    """The table `(length, columns)` that a network gives: from the network while training, by itself once folded."""

    table: Tensor

    def __init__(self, network: PrefixNetwork, columns: slice | None = None) -> None:
        """Create it; `columns` of the network, None: all."""
        super().__init__()
        self.network: PrefixNetwork | None = network
        self.columns = columns or slice(0, network.output.out_features)
        self.count: int = network.embedding.num_embeddings * (self.columns.stop - self.columns.start)

    def forward(self) -> Tensor:
        """The table."""
        return self.table if self.network is None else self.network(self.columns)

    def training_parameters(self) -> Iterator[nn.Parameter]:
        """The network's."""
        return iter(()) if self.network is None else self.network.parameters()

    def folded(self) -> dict[str, Tensor]:
        """The table."""
        return {"table": self().detach().contiguous()}

    def folded_count(self) -> float:
        """Its entries."""
        return self.count

    def load_folded(self, state: dict[str, Tensor]) -> None:
        """Let the table take the network's place."""
        device = self().device
        self.network = None
        self.register_buffer("table", state["table"].to(device))


class TablePrefix(nn.Module):
    """The prefix of one attention, trained directly: keys and values `(length, width)`, N(0, 1) as in peft."""

    def __init__(self, length: int, width: int, device: torch.device) -> None:
        super().__init__()
        self.keys = nn.Parameter(torch.randn(length, width, device=device))
        self.values = nn.Parameter(torch.randn(length, width, device=device))

    def forward(self) -> tuple[Tensor, Tensor]:
        """Both."""
        return self.keys, self.values


@dataclass(kw_only=True)
class ThroughNetwork(Method):
    """What prefixes that come from a network have in common.

    Attributes:
        length: virtual tokens.
        inner: width of the network's inner layer; null: no network, where a method can do without.
    """

    length: int
    inner: int | None

    size = "length"
    identity_at_start = False
    why_not_identity = "every token attends to the prefix from the start"
    attention_limit, row_limit = ATTENTION_LIMIT, ROW_LIMIT
    layer = Layer.activations
    where = "the keys and values of every attention"

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least_one(length=self.length)
        if self.inner is not None:
            at_least_one(inner=self.inner)

    def check(self, setting: Setting) -> None:
        """A prefix longer than any input is a slip of the pen."""
        super().check(setting)
        check_length(self.length, setting)

    def apply(self, model: nn.Module, setting: Setting) -> nn.Module:
        """Freeze the base; a network for each kind of attention, as in the authors' code, and every layer's prefix."""
        freeze(model)
        use_prefixed_attention(model)
        device = next(model.parameters()).device
        for attentions in kinds(setting.structure):
            width = key_width(model, attentions[0])
            prefixes = self.of_kind(len(attentions), width, setting.structure.hidden_size, device)
            for attention, prefix in zip(attentions, prefixes, strict=True):
                put_prefix(model.get_submodule(attention.core), prefix)
        return model

    def of_kind(self, layers: int, width: int, hidden: int, device: torch.device) -> Iterator[nn.Module]:
        """The prefix of each layer of one kind of attention, whose keys are `width` wide."""
        assert self.inner is not None
        network = PrefixNetwork(self.length, hidden, self.inner, self.network_width(layers, width), device)
        return self.prefixes(network, layers, width)

    def network_width(self, layers: int, width: int) -> int:
        """How many values the network gives for each virtual token, for `layers` whose keys are `width` wide."""
        raise NotImplementedError

    def prefixes(self, network: PrefixNetwork, layers: int, width: int) -> Iterator[nn.Module]:
        """The prefix of each layer: a module that is called without arguments and gives keys and values."""
        raise NotImplementedError

    def why_not_mergeable(self) -> str:
        """The reason, for the error message."""
        return "keys and values of no token are not weights of a layer"


@dataclass(kw_only=True)
class Prefix(ThroughNetwork):
    """softmax(q [P_k; K]ᵀ) [P_v; V] in every attention, with P = Linear(tanh(Linear(E))) trained.

    One network for each kind of attention (of an encoder, of a decoder, between the two), as in the authors' code.
    With `inner: null` there is none, and P itself is trained, drawn from N(0, 1) as in Li and Liang's code without the
    reparameterisation.
    """

    formula = "softmax(q [P_k; K]ᵀ) [P_v; V], P = W₂ tanh(W₁ E)"
    trains = "E, W₁ and W₂, which give way to P"

    def of_kind(self, layers: int, width: int, hidden: int, device: torch.device) -> Iterator[nn.Module]:
        """Through a network, or tables of their own."""
        if self.inner is not None:
            return super().of_kind(layers, width, hidden, device)
        return (TablePrefix(self.length, width, device) for _ in range(layers))

    def network_width(self, layers: int, width: int) -> int:
        """Keys and values of every layer."""
        return layers * 2 * width

    def prefixes(self, network: PrefixNetwork, layers: int, width: int) -> Iterator[nn.Module]:
        """Columns of the network's own for each layer."""
        return (NetworkPrefix(network, index, width) for index in range(layers))


def kinds(structure: Structure) -> list[list[Attention]]:
    """The attentions, grouped into those of the encoder, of the decoder, and between the two."""
    groups: dict[tuple[str, bool], list[Attention]] = {}
    for attention in structure.attentions:
        groups.setdefault((attention.stack, attention.is_cross), []).append(attention)
    return list(groups.values())


def key_width(model: nn.Module, attention: Attention) -> int:
    """Width of all key heads together; below the query's where heads share keys (LLaMA's larger sizes, Mistral)."""
    if attention.rows is not None:
        return attention.rows.groups * attention.rows.sizes[1]
    if attention.key is None:
        raise UnsupportedError(f"a prefix is as wide as the keys: {attention.why_whole}")
    return width_of(model, attention.key)


def check_length(length: int, setting: Setting) -> None:
    """Refuse a prefix that is longer than the model's longest input.

    Raises:
        UserError: it is.
    """
    limit = setting.structure.max_positions
    if limit is not None and length > limit:
        raise UserError(f"a prefix of {length} tokens is longer than the model's {limit} positions; lower it")
