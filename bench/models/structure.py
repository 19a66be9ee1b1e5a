"""Where things are inside a pretrained model.

A method asks for sites ("the query projections", "the output of every feed-forward") and gets module paths. They are
read off by what is known of the model's type (`bench.models.entries`, `bench.models.families`). Where something is not
known, or not there, the method that asks for it is refused with its name, and no other.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from bench.configuration.schema import Family
from bench.errors import UnsupportedError, UserError, unknown_name

# The linear layers of a block, as configurations name them.
FUSED = "fused"
PARTS = ("query", "key", "value")  # of a fused one
SITES = (*PARTS, "output", "feed_forward_input", "feed_forward_output")
EXPERT_SITES = ("expert_input", "expert_output")  # parameters `(experts, …, …)`, of several feed-forwards each


@dataclass(frozen=True)
class FusedRows:
    """Whose the rows of a fused projection are: `groups` times, so many of queries, of keys and of values.

    Attributes:
        groups: 1 where all queries come first, then all keys, then all values; else the heads of keys.
        sizes: rows of queries, of keys and of values in each group.
    """

    groups: int
    sizes: tuple[int, int, int]


@dataclass(frozen=True)
class Attention:
    """Paths of one attention: the module that attends and its projections.

    Attributes:
        core: the module that hands queries, keys and values to the attention function.
        output: the projection that gives the residual branch's result, before dropout, residual sum and (post-norm)
            LayerNorm.
        stack: "encoder" or "decoder".
        query, key, value: the other projections. Where one projection gives all three, they are there once it is
            split, see `bench.models.fused`; None where it cannot be.
        fused: that one.
        is_cross: whether keys and values come from the encoder.
        rows: what is whose in it; None where it cannot be split.
        why_whole: why not.
    """

    core: str
    output: str
    stack: str
    query: str | None = None
    key: str | None = None
    value: str | None = None
    fused: str | None = None
    is_cross: bool = False
    rows: FusedRows | None = None
    why_whole: str | None = None

    @property
    def parts(self) -> Iterator[tuple[str, str]]:
        """Sites and paths of the projections of queries, keys and values, as far as there are any of their own."""
        named = zip(PARTS, (self.query, self.key, self.value), strict=True)
        return ((site, path) for site, path in named if path is not None)


class NormPlace(StrEnum):
    """Where the pretrained norms of a feed-forward F stand on the residual stream x."""

    after_sum = "after the sum"  # LN(x + F(x)): BERT, RoBERTa
    before = "before the branch"  # x + F(LN(x)): T5, LLaMA
    beside = "before the branch, which stands beside the attention"  # x + A(LN(x)) + F(LN(x)): GPT-NeoX, Phi
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
            elsewhere: the module that maps its input to h, normalised where a norm stands before the branch. None
            where the block spells it out.
        total: post-norm: the norm, whose input is h + x; elsewhere: the module that returns h + x, x being the
            residual. None where no module does, as h is added together with something else.
        place: where the norms stand.
        norms: the names of all norms of the block, for messages.
    """

    inputs: tuple[str, ...]
    output: str
    result: str
    norm: str | None
    branch: str | None
    total: str | None
    place: NormPlace
    norms: tuple[str, ...]

    @property
    def is_post_norm(self) -> bool:
        """Whether the norm follows the residual sum."""
        return self.place == NormPlace.after_sum


@dataclass(frozen=True)
class Block:
    """One transformer layer; its feed-forward is None where there are several.

    Their parameters are then `experts`, by their sites (of `EXPERT_SITES`), as far as they are known.
    """

    path: str
    attentions: tuple[Attention, ...]
    feed_forward: FeedForward | None
    experts: tuple[tuple[str, str], ...] = ()

    def named_linears(self, *, split: bool = False) -> Iterator[tuple[str, str]]:
        """Site (one of `SITES`, or `FUSED`) and path of every linear layer of the block, attention first.

        Args:
            split: whether fused projections are split, see `bench.models.fused`.
        """
        for a in self.attentions:
            yield from a.parts if a.fused is None or split else ((FUSED, a.fused),)
            yield "output", a.output
        if self.feed_forward is not None:
            yield from (("feed_forward_input", path) for path in self.feed_forward.inputs)
            yield "feed_forward_output", self.feed_forward.output

    def lacks(self, site: str) -> str | None:
        """Why the block has no linear layer of its own at a site; None where it has."""
        if site in PARTS and (whole := [a.why_whole for a in self.attentions if a.why_whole]):
            return whole[0]
        if site.startswith("feed_forward") and self.feed_forward is None:
            others = " and ".join(site for site, _ in self.experts)
            return f"{self.path} has several feed-forwards (experts)" + (f"; LoRA has {others} for them" * bool(others))
        return None


@dataclass(frozen=True)
class Structure:
    """The sites of one model. All paths are relative to the model that `structure_of` was given.

    Attributes:
        family: the kind of model.
        known: encoder blocks first, then decoder blocks; none where nothing is known of the model's inside.
        head: the modules of the task head, trained with every method; none where the language-model head serves.
        hidden_size: width of what the blocks' branches give to the residual stream.
        max_positions: the longest input; None where positions are relative (T5).
        missing: why nothing is known of the model's inside; None where something is.
        transposed: whether linear layers keep their weights as `(inputs, outputs)` (GPT-2).
        entry: the name of the entry that it was read by; None where nothing is known.
    """

    family: Family
    known: tuple[Block, ...]
    head: tuple[str, ...]
    hidden_size: int
    max_positions: int | None
    missing: str | None = None
    transposed: bool = False
    entry: str | None = field(default=None, compare=False)

    @property
    def blocks(self) -> tuple[Block, ...]:
        """The blocks, for methods that need to know what is inside.

        Raises:
            UnsupportedError: nothing is known of it.
        """
        if self.missing is not None:
            raise UnsupportedError(self.missing)
        return self.known

    @property
    def feed_forwards(self) -> Iterator[FeedForward]:
        """One of each block.

        Raises:
            UnsupportedError: a block has several.
        """
        for block in self.blocks:
            if block.feed_forward is None:
                raise UnsupportedError(block.lacks("feed_forward_output"))
            yield block.feed_forward

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
        """Paths of all linear layers at the named sites, see `SITES`, block by block.

        Parts of a fused projection are there once `bench.models.fused.split_fused` was given their paths.

        Raises:
            UnsupportedError: the model has none of its own at one of them.
        """
        wanted = set(sites)
        if of_experts := [site for site in EXPERT_SITES if site in wanted]:
            raise UnsupportedError(f"the site '{of_experts[0]}' is a parameter of several experts, no linear layer")
        if not wanted <= set(SITES):
            raise unknown_name("site", sorted(wanted - set(SITES))[0], SITES)
        for block in self.blocks:
            for site in SITES:
                if site in wanted and (reason := block.lacks(site)) is not None:
                    raise UnsupportedError(f"this model has no site '{site}': {reason}")
        named = (pair for block in self.blocks for pair in block.named_linears(split=True))
        return [path for site, path in named if site in wanted]

    def expert_parameters(self, sites: Iterable[str]) -> list[str]:
        """Paths of the experts' parameters at the named sites, see `EXPERT_SITES`, block by block.

        Raises:
            UnsupportedError: the model has no experts, or nothing is known of their inside.
        """
        wanted = set(sites)
        found = [path for block in self.blocks for site, path in block.experts if site in wanted]
        if wanted and not found:
            raise UnsupportedError(f"this model has no site '{min(wanted)}': no experts are known in it")
        return found

    @property
    def attentions(self) -> Iterator[Attention]:
        """All attentions, in the order of the blocks."""
        return (attention for block in self.blocks for attention in block.attentions)

    @property
    def linears(self) -> tuple[str, ...]:
        """Paths of all linear layers of all blocks, fused ones unsplit; those of experts are none of them."""
        return tuple(path for block in self.blocks for _, path in block.named_linears())
