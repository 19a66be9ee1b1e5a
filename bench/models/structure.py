"""Where things are inside a pretrained model, found from its modules and not from lists of model names.

A method asks for sites ("the query projections", "the output of every feed-forward") and gets module paths. One
function per family (`bench.models.families`) reads them off; a class built differently is refused with the name of
what is missing.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from bench.configuration.schema import Family
from bench.errors import UserError, unknown_name

# The linear layers of a block, as configurations name them.
SITES = ("query", "key", "value", "output", "feed_forward_input", "feed_forward_output")


@dataclass(frozen=True)
class Attention:
    """Paths of one attention: the module that attends and its four projections.

    Attributes:
        core: the module that hands queries, keys and values to the attention function.
        query, key, value, output: the projections. `output` gives the residual branch's result, before dropout,
            residual sum and (post-norm) LayerNorm.
        stack: "encoder" or "decoder".
        is_cross: whether keys and values come from the encoder.
    """

    core: str
    query: str
    key: str
    value: str
    output: str
    stack: str
    is_cross: bool = False


class NormPlace(StrEnum):
    """Where the pretrained norms of a feed-forward F stand on the residual stream x."""

    after_sum = "after the sum"  # LN(x + F(x)): BERT, RoBERTa
    before = "before the branch"  # x + F(LN(x)): T5, LLaMA
    around = "around the branch"  # x + LN₂(F(LN₁(x))): Gemma 2 and 3
    after_branch = "after the branch"  # x + LN(F(x)): OLMo 2 and 3, EXAONE 4
    unknown = "unknown"


@dataclass(frozen=True)
class FeedForward:
    """Paths of one feed-forward: its projections, and how it joins the residual stream.

    Attributes:
        inputs: the input projections; two where it is gated.
        output: the output projection; its result is h, before dropout, residual sum and (post-norm) LayerNorm.
        result: the module that returns h after the dropout; the output projection where there is no dropout.
        norm: the pretrained norm that the residual stream goes through; None where there is none, or none is known.
        branch: post-norm: the module called with (inner activations, x) that returns LN(h + x);
            elsewhere: the module that maps its input to h, normalised where a norm stands before the branch.
        total: post-norm: the norm, whose input is h + x; elsewhere: the module that returns h + x, x being the
            residual.
        place: where the norms stand.
        norms: the names of all norms of the block, for messages.
    """

    inputs: tuple[str, ...]
    output: str
    result: str
    norm: str | None
    branch: str
    total: str
    place: NormPlace
    norms: tuple[str, ...]

    @property
    def is_post_norm(self) -> bool:
        """Whether the norm follows the residual sum."""
        return self.place == NormPlace.after_sum


@dataclass(frozen=True)
class Block:
    """One transformer layer."""

    path: str
    attentions: tuple[Attention, ...]
    feed_forward: FeedForward

    @property
    def named_linears(self) -> tuple[tuple[str, str], ...]:
        """Site (one of `SITES`) and path of every linear layer of the block, attention first."""
        attention = [
            pair
            for a in self.attentions
            for pair in (("query", a.query), ("key", a.key), ("value", a.value), ("output", a.output))
        ]
        inputs = [("feed_forward_input", path) for path in self.feed_forward.inputs]
        return (*attention, *inputs, ("feed_forward_output", self.feed_forward.output))


@dataclass(frozen=True)
class Structure:
    """The sites of one model. All paths are relative to the model that `structure_of` was given.

    Attributes:
        family: the kind of model.
        blocks: encoder blocks first, then decoder blocks.
        head: the modules of the task head, trained with every method; none where the language-model head serves.
        hidden_size: width of what the blocks' branches give to the residual stream.
        attention_width: width of all attention heads together; T5 sizes may differ from the hidden size.
        max_positions: the longest input; None where positions are relative (T5).
    """

    family: Family
    blocks: tuple[Block, ...]
    head: tuple[str, ...]
    hidden_size: int
    attention_width: int
    max_positions: int | None

    def is_of_head(self, name: str) -> bool:
        """Whether a parameter called `name` is the task head's, in a model that a method may have wrapped."""
        return any(f".{path}." in f".{name}" for path in self.head)

    def check_length(self, length: int) -> None:
        """Refuse inputs of `length` tokens where the model has fewer positions.

        Raises:
            UserError: they do not fit.
        """
        if self.max_positions is not None and length > self.max_positions:
            raise UserError(f"inputs of {length} tokens exceed the model's {self.max_positions} positions")

    def paths(self, sites: Iterable[str]) -> list[str]:
        """Paths of all linear layers at the named sites, see `SITES`, block by block."""
        wanted = set(sites)
        if not wanted <= set(SITES):
            raise unknown_name("site", sorted(wanted - set(SITES))[0], SITES)
        return [path for block in self.blocks for site, path in block.named_linears if site in wanted]

    @property
    def attentions(self) -> Iterator[Attention]:
        """All attentions, in the order of the blocks."""
        return (attention for block in self.blocks for attention in block.attentions)

    @property
    def linears(self) -> tuple[str, ...]:
        """Paths of all linear layers of all blocks."""
        return tuple(self.paths(SITES))
