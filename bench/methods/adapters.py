"""Bottleneck adapters: Adapter^S (Houlsby), Pfeiffer's and the parallel one.

- Houlsby et al. 2019, https://arxiv.org/abs/1902.00751, as the authors of MAM run it
  (jxhe/unify-parameter-efficient-tuning)
- Pfeiffer et al. 2021, https://arxiv.org/abs/2005.00247
- He et al. 2022, https://arxiv.org/abs/2110.04366, section 4.1
"""

from dataclasses import dataclass
from enum import StrEnum

from torch import nn

from bench.errors import UserError
from bench.methods.base import Act, Layer, Method, Setting
from bench.methods.shared.bottleneck import Bottleneck, ParallelAdapter, PfeifferAdapter, SequentialAdapter
from bench.methods.shared.norm_places import KNOWN, NORMALISED, READABLE, attach_behind_sum, check_norms
from bench.methods.shared.ranges import (
    above_zero,
    at_least_one,
    below_one,
    check_head_is_left,
    one_of,
    within_hidden_size,
)
from bench.methods.trainable import freeze
from bench.models.structure import FeedForward


@dataclass(kw_only=True)
class AdapterMethod(Method):
    """What the three share.

    Attributes:
        bottleneck: the inner size m.
        dropout: on the inner activations.
    """

    bottleneck: int
    dropout: float

    size = "bottleneck"
    shardable = True
    stacks = True
    layer = Layer.activations
    trains = "the adapters"
    without_gradient = (
        ("bottleneck.down", "units whose ReLU lets nothing of a batch pass"),
        ("bottleneck.up.weight", "what comes from such units"),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least_one(bottleneck=self.bottleneck)
        below_one(dropout=self.dropout)

    def check(self, setting: Setting) -> None:
        """A bottleneck wider than the residual stream is none."""
        super().check(setting)
        within_hidden_size(setting, bottleneck=self.bottleneck)

    def acts(self, setting: Setting) -> dict[str, Act]:
        """What comes out of every feed-forward: the branch's result, 0; what goes into the sum, 1; the sum, 2."""
        return {site.result: Act(self.depth(site)) for site in setting.structure.feed_forwards}

    def depth(self, site: FeedForward) -> int:
        """Which of these."""
        return 0

    def apply(self, model: nn.Module, setting: Setting) -> nn.Module:
        """Freeze the base and add the adapters, whose parameters are new and so require gradients."""
        freeze(model)
        self.add_adapters(model, setting)
        return model

    def add_adapters(self, model: nn.Module, setting: Setting) -> None:
        """Build and attach one adapter per site."""
        raise NotImplementedError

    def new_bottleneck(self, model: nn.Module, setting: Setting) -> Bottleneck:
        """A bottleneck of this method's size where the model is."""
        device = next(model.parameters()).device
        return Bottleneck(setting.structure.hidden_size, self.bottleneck, self.dropout, device)

    def why_not_mergeable(self) -> str:
        """The reason, for the error message."""
        return "a bottleneck is not linear"


@dataclass(kw_only=True)
class AdapterS(AdapterMethod):
    """Adapter^S: h + up(ReLU(down(LN(h)))) after every attention, h + up(ReLU(down(h))) after every feed-forward.

    Behind an attention the adapter acts on the output projection's result, before its dropout; behind a feed-forward
    after the dropout; both before the residual sum and its norm, as in the authors' code. A T5 decoder layer has three
    sites: cross-attention is one. The adapter behind an attention has an input LayerNorm of its own.

    Attributes:
        attention: whether there is one behind every attention.
        feed_forward: whether there is one behind every feed-forward.
        input_norm: whether those behind an attention have their LayerNorm.
    """

    attention: bool = True
    feed_forward: bool = True
    input_norm: bool = True

    identity_at_start = False
    why_not_identity = "the authors draw the up-projection from N(0, 0.02) too"
    formula = "h ← h + up(ReLU(down(h)))"
    where = (
        "after attention (input normalised, before its dropout) and after feed-forward (after its dropout), before the "
        "residual sum"
    )
    differences = ("the task head is trained, as with every method here; the authors' code freezes it at random",)

    def check(self, setting: Setting) -> None:
        """There are adapters, or a task head to be trained without them."""
        super().check(setting)
        if not (self.attention or self.feed_forward):
            check_head_is_left(self.title, setting)

    def acts(self, setting: Setting) -> dict[str, Act]:
        """What comes out of every residual branch that has one."""
        attentions = {attention.output: Act() for attention in setting.structure.attentions if self.attention}
        return attentions | (super().acts(setting) if self.feed_forward else {})

    def add_adapters(self, model: nn.Module, setting: Setting) -> None:
        """One per residual branch."""
        structure = setting.structure
        normed = [(attention.output, self.input_norm) for attention in structure.attentions if self.attention]
        plain = [(site.result, False) for site in structure.feed_forwards if self.feed_forward]
        for path, has_norm in (*normed, *plain):
            bottleneck = self.new_bottleneck(model, setting)
            bottleneck.initialise_normally()
            device = bottleneck.up.weight.device
            norm = nn.LayerNorm(structure.hidden_size, device=device) if has_norm else None
            adapter = SequentialAdapter(bottleneck, norm)
            adapter.attach(model.get_submodule(path), self.name)


@dataclass(kw_only=True)
class AdapterPfeiffer(AdapterMethod):
    """Pfeiffer's adapter: LN(h + up(ReLU(down(LN(h + x)))) + x) after every feed-forward, see `PfeifferAdapter`."""

    stacks = False  # after the norm, the second of two would not see what the first makes of the sum
    identity_at_start = False
    why_not_identity = "the up-projection is drawn from N(0, 0.02)"
    formula = "y = LN(h + up(ReLU(down(LN(h + x)))) + x)"
    where = "after feed-forward, at the residual sum"
    differences = ("pre-norm models: y = h + up(ReLU(down(LN(h + x)))) + x, LN the pretrained norm before the branch",)

    def check(self, setting: Setting) -> None:
        """There is a pretrained norm to read through."""
        super().check(setting)
        check_norms(self.title, setting.structure, READABLE)

    def depth(self, site: FeedForward) -> int:
        """The sum."""
        return 2

    def add_adapters(self, model: nn.Module, setting: Setting) -> None:
        """One per feed-forward."""
        for site in setting.structure.feed_forwards:
            bottleneck = self.new_bottleneck(model, setting)
            bottleneck.initialise_normally()
            attach_behind_sum(model, PfeifferAdapter(bottleneck), site, self.name)


class Reads(StrEnum):
    """What a parallel adapter takes for the feed-forward's input."""

    residual = "residual"
    normalised = "normalised"


@dataclass(kw_only=True)
class AdapterParallel(AdapterMethod):
    """The parallel adapter: h + s·up(ReLU(down(x))) with x the feed-forward's input and h its output.

    Attributes:
        scale: by family, s.
        reads: what x is where a norm stands before the branch: the residual stream as it comes, or what the norm gives
            of it. The authors' code reads the former on mBART, adapter-hub on T5 and LLaMA.
    """

    scale: dict[str, float]
    reads: Reads

    formula = "h ← h + s·up(ReLU(down(x)))"
    where = "beside feed-forward; x is the residual stream, before any norm"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.reads = one_of(Reads, reads=self.reads)
        for family, scale in self.scale.items():
            above_zero(**{f"scale.{family}": scale})

    def check(self, setting: Setting) -> None:
        """The scale is set for this family, and what is to be read is there."""
        super().check(setting)
        if setting.family not in self.scale:
            raise UserError(f"method.scale says nothing of the family '{setting.family}'")
        check_norms(self.title, setting.structure, KNOWN)
        if self.reads == Reads.normalised:
            check_norms(f"{self.title} with method.reads=normalised", setting.structure, NORMALISED)

    def depth(self, site: FeedForward) -> int:
        """What goes into the sum where the norm follows it, else the branch's result."""
        return int(site.is_post_norm and site.branch is not None)

    def add_adapters(self, model: nn.Module, setting: Setting) -> None:
        """One per feed-forward."""
        for site in setting.structure.feed_forwards:
            bottleneck = self.new_bottleneck(model, setting)
            bottleneck.initialise_at_zero()
            adapter = ParallelAdapter(bottleneck, self.scale[setting.family])
            if site.is_post_norm and site.branch is not None:
                adapter.attach_to_sum(model.get_submodule(site.branch), self.name)
                continue
            entrance, home = site.branch or site.inputs[0], site.branch or site.output
            # Where a norm follows the sum, what goes into the branch is the residual itself.
            if self.reads == Reads.residual and site.norm is not None and not site.is_post_norm:
                entrance = site.norm
            branch, source, result = map(model.get_submodule, (home, entrance, site.result))
            adapter.attach_to_branch(branch, self.name, source, result)
