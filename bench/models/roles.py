"""What an entry of `bench.models.entries` says of the models of some types: the form of it.

Names are paths below a block.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from bench.configuration.schema import Family
from bench.models.structure import NormPlace


class FusedOrder(StrEnum):
    """In which order a fused projection gives queries, keys and values."""

    contiguous = "contiguous"  # all queries, then all keys, then all values
    by_head = "by head"  # for each head of keys the queries that go with it, then the key, then the value


@dataclass(frozen=True)
class AttentionRoles:
    """One attention of a block.

    Attributes:
        core: the module that hands queries, keys and values to the attention function.
        output: the projection that gives the branch's result.
        query, key, value: the projections; None where `fused` gives all three at once.
        fused: the projection that does.
        is_cross: whether keys and values come from the encoder.
        order: of what the fused projection gives; None: it is not known, and the projection stays whole.
        key_heads: the attribute of the core that says how many heads of keys there are; None where each head of
            queries has its own.
    """

    core: str
    output: str
    query: str | None = None
    key: str | None = None
    value: str | None = None
    fused: str | None = None
    is_cross: bool = False
    order: FusedOrder | None = None
    key_heads: str | None = None


@dataclass(frozen=True)
class FeedForwardRoles:
    """The feed-forward of a block; see `bench.models.structure.FeedForward`.

    Attributes:
        inputs: the input projections, or, where types differ, each possibility; the first that is there counts.
        output: the output projection.
        place: where the norm stands.
        norm: which one.
        result: the module that returns the result after the dropout; where it is missing, the output projection.
        branch: the module that is called with the branch's input; none where it is spelled out in the block.
        total: the module whose result, or for a norm after the sum whose input, is the new residual; "" is the block.
    """

    inputs: tuple[tuple[str, ...], ...]
    output: str
    place: NormPlace
    norm: str | None = None
    result: str | None = None
    branch: str | None = None
    total: str | None = None


@dataclass(frozen=True)
class ExpertRoles:
    """The experts of a block where each matrix of theirs is one parameter `(experts, …, …)`.

    Attributes:
        input: the parameter of the input projections, gated or not.
        output: that of the output projections.
    """

    input: str
    output: str


@dataclass(frozen=True)
class Stack:
    """Blocks one after the other.

    Attributes:
        name: "encoder" or "decoder".
        blocks: where they are below the base model, each `{}` a number.
        attentions: of each block.
        feed_forward: of each block; None where there are several (experts), see `experts`.
        norms: the norms of each block.
        any_norms: whether blocks with other norms than these are read all the same, their place as unknown.
        experts: of each block that has some; None where no block has.
    """

    name: str
    blocks: str
    attentions: tuple[AttentionRoles, ...]
    feed_forward: FeedForwardRoles | None
    norms: tuple[str, ...]
    any_norms: bool = False
    experts: ExpertRoles | None = None


@dataclass(frozen=True)
class Entry:
    """How models of some types are built.

    Attributes:
        name: of the entry.
        family: of its models.
        types: their `model_type` in transformers; other types are read by the first entry of the family that fits.
        stacks: their blocks; encoder first.
        has_positions: whether the configuration's `max_position_embeddings` bounds the input.
        transposed: whether linear layers keep their weights as `(inputs, outputs)`.
        when: a key of the configuration and the value that it has in these models.
    """

    name: str
    family: Family
    types: tuple[str, ...]
    stacks: tuple[Stack, ...]
    has_positions: bool = True
    transposed: bool = False
    when: tuple[str, Any] | None = None
