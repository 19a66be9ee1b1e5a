"""Several methods at once on one model: how MAM is built from a prefix and a parallel adapter, and any other pair."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Self

import peft
from torch import Tensor, nn

from bench.configuration.compose import build
from bench.configuration.schema import Optimiser, Quantisation
from bench.errors import UserError
from bench.methods.base import Gradients, Layer, LoadOptions, Method, ParameterGroup, Setting, Shared
from bench.methods.budget import Size
from bench.methods.conflicts import check_alone, check_order, check_parts, inside_out
from bench.methods.norm_tuning import replaced
from bench.methods.shared.peft_library import innermost
from bench.methods.shared.ranges import check_head_is_left
from bench.methods.shares import check_shares, shared_out
from bench.methods.trainable import freeze, trainable_parameters
from bench.models.fused import split_fused


@dataclass(kw_only=True)
class Compose(Method):
    """Additive, partial and reparameterised methods together; what each of them trains is trained.

    The parts are applied from the inside of the model to its outside (`Layer`), so that an adapter behind a projection
    sees what LoRA made of it. Where two of a layer act on the same place and it matters which is further inside, the
    order has to be declared, see `bench.methods.order`.

    Attributes:
        parts: the settings of each method, as in its own YAML file: a list, or a mapping whose keys name the parts, so
            that the command line can reach into them (`method.parts.adapter.bottleneck=32`). A part that is null is
            left out; where all are, the task head alone is trained.
        order: names of parts, the innermost first: keys of the mapping, or the methods' own names in a list.
        shares: of the budget, by part, 1 together: of what parts without a size leave of it. None: all parts that
            have a size are in so many hundredths of their own.
    """

    parts: Any
    order: list[str] = field(default_factory=list)
    shares: dict[str, float] = field(default_factory=dict)

    layer = Layer.inputs

    def __post_init__(self) -> None:
        super().__post_init__()
        given = list(self.parts.values()) if isinstance(self.parts, dict) else self.parts
        if not isinstance(given, list) or len(given) < 2:
            raise UserError(f"'{self.name}': parts must be a list of two or more methods")
        there = [build(part, Method) for part in given if part is not None]
        check_parts(self.name, there)
        names = [key for key, part in self.parts.items() if part is not None] if isinstance(self.parts, dict) else None
        named = dict(zip(names or [method.name for method in there], there, strict=True))
        self.named: dict[str, Method] = {name: named[name] for name in inside_out(named, self.order)}
        self.methods: list[Method] = list(self.named.values())
        check_shares(self.shares, self.named, self.budget)
        self.identity_at_start = all(method.identity_at_start for method in self.methods)
        self.mergeable = all(method.mergeable for method in self.methods)
        self.shardable = all(method.shardable for method in self.methods)
        self.trains_base = any(method.trains_base for method in self.methods)
        self.attention_limit = next((m.attention_limit for m in self.methods if m.attention_limit), "")
        self.row_limit = next((m.row_limit for m in self.methods if m.row_limit), "")
        reasons = [m.why_not_identity for m in self.methods if not m.identity_at_start]
        self.why_not_identity = "; ".join(reasons)
        self.formula = "; ".join(method.formula for method in self.methods)
        self.where = "; ".join(method.where for method in self.methods)
        self.trains = "; ".join(method.trains for method in self.methods)
        self.differences = tuple(difference for method in self.methods for difference in method.differences)
        self.without_gradient = tuple(excuse for method in self.methods for excuse in method.without_gradient)

    def of_size(self, number: int, setting: Setting) -> Self:
        """Every part that has a size in so many hundredths of its own, the others as they are."""
        if not any(method.sizes(setting) for method in self.methods):
            return super().of_size(number, setting)
        return self._with({name: _hundredths(method, number, setting) for name, method in self.named.items()})

    def in_size(self, size: Size, setting: Setting) -> Self:
        """As of one size; or each part that is named in the size given for it."""
        if isinstance(size, int):
            return self.of_size(size, setting)
        return self._with(
            {name: part.of_size(size[name], setting) if name in size else part for name, part in self.named.items()}
        )

    def _with(self, named: dict[str, Method]) -> Self:
        """The same composition of parts in other sizes."""
        other = replace(self, budget=None, shares={})
        other.named, other.methods = named, list(named.values())
        return other

    def shared_out(self, setting: Setting) -> dict[str, Shared]:
        """The parts that have shares.

        Raises:
            UserError: a part that has a size has no share, or one that has none has.
        """
        return shared_out(self.shares, self.named, setting)

    def sizes(self, setting: Setting) -> dict[str, int | float]:
        """Those of all parts."""
        return {
            f"{method.name}.{key}": value for method in self.methods for key, value in method.sizes(setting).items()
        }

    def check(self, setting: Setting) -> None:
        """Every part fits, and they go together."""
        if not self.methods:
            check_head_is_left(self.title, setting)
        for method in self.methods:
            method.check(setting)
            check_alone(method, self.methods, setting)
        check_order(self.named, self.order, setting)

    def targets(self, setting: Setting) -> list[str]:
        """Of all parts."""
        return [path for method in self.methods for path in method.targets(setting)]

    def load_options(self) -> LoadOptions:
        """Quantised if a part wants it."""
        wanted = (method.load_options() for method in self.methods)
        return next((options for options in wanted if options.quantisation != Quantisation.none), LoadOptions())

    def apply(self, model: nn.Module, setting: Setting) -> nn.Module:
        """Apply the parts one after the other; each freezes what it finds, so what was trained is thawed at the end."""
        trained: set[int] = set()
        # First of all: what is split has other parameters afterwards.
        split_fused(innermost(model), setting.structure, self.targets(setting))
        if not self.methods:
            freeze(model)
        for method in self.methods:
            adapted = method.apply(innermost(model) if method.layer == Layer.activations else model, setting)
            model = adapted if method.layer != Layer.activations else model
            trained |= {id(parameter) for _, parameter in trainable_parameters(model)}
        trained -= replaced(model)  # BitFit's norms, where copies of them are trained
        for name, parameter in model.named_parameters():
            # Not the head: the peft library keeps a frozen spare copy of it beside the one that the runner trains.
            if id(parameter) in trained and not setting.structure.is_of_head(name):
                parameter.requires_grad_(True)
        return model

    def optimiser(self) -> Optimiser:
        """Paged if a part wants it."""
        kinds = [method.optimiser() for method in self.methods]
        return next((kind for kind in kinds if kind != Optimiser.adamw), Optimiser.adamw)

    def rate_multipliers(self) -> dict[str, float]:
        """Those of all parts."""
        return {key: factor for method in self.methods for key, factor in method.rate_multipliers().items()}

    def prepare(self, model: nn.Module, gradients: Gradients) -> None:
        """Each part looks at the data by itself."""
        for method in self.methods:
            method.prepare(model, gradients)

    def parameter_groups(self, model: nn.Module) -> list[ParameterGroup]:
        """What a part treats specially stays with it; the rest is one group."""
        special = [group for group in self._part_groups(model) if group.learning_rate is not None]
        taken = {id(parameter) for group in special for _, parameter in group.parameters}
        entries = {name: mask for group in self._part_groups(model) for name, mask in group.entries.items()}
        rest = [(name, p) for name, p in trainable_parameters(model) if id(p) not in taken]
        return [ParameterGroup(rest, entries=entries), *special]

    def _part_groups(self, model: nn.Module) -> Iterator[ParameterGroup]:
        return (group for method in self.methods for group in method.parameter_groups(model))

    def on_gradients(self, model: nn.Module) -> None:
        """Part by part."""
        for method in self.methods:
            method.on_gradients(model)

    def after_step(self, model: nn.Module, step: int) -> None:
        """Part by part."""
        for method in self.methods:
            method.after_step(model, step)

    def extra_state(self, model: nn.Module) -> dict[str, Tensor]:
        """Of all parts."""
        return {name: tensor for method in self.methods for name, tensor in method.extra_state(model).items()}

    def load_extra_state(self, model: nn.Module, state: dict[str, Tensor]) -> None:
        """Part by part."""
        for method in self.methods:
            method.load_extra_state(model, state)

    def pack(self, model: nn.Module, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """Part by part."""
        for method in self.methods:
            state = method.pack(model, state)
        return state

    def unpack(self, model: nn.Module, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """In the opposite order."""
        for method in reversed(self.methods):
            state = method.unpack(model, state)
        return state

    def held_count(self, model: nn.Module) -> int:
        """Of all parts."""
        return sum(method.held_count(model) for method in self.methods)

    def packed_count(self, model: nn.Module) -> float:
        """Of all parts."""
        return sum(method.packed_count(model) for method in self.methods)

    def merge(self, model: nn.Module, setting: Setting) -> nn.Module:
        """Merge the parts from the outside to the inside.

        Raises:
            UserError: a part cannot be merged, or two parts of the peft library lie over each other.
        """
        for method in self.methods:
            if not method.mergeable:
                return method.merge(model, setting)
        if sum(isinstance(module, peft.PeftModel) for module in model.modules()) > 1:
            raise UserError(f"{self.title} cannot be merged: two methods of the peft library lie over each other")
        for method in reversed(self.methods):
            model = method.merge(model, setting)
        return model

    def why_not_mergeable(self) -> str:
        """The first part's reason."""
        return next((m.why_not_mergeable() for m in self.methods if not m.mergeable), super().why_not_mergeable())


def _hundredths(method: Method, number: int, setting: Setting) -> Method:
    """A part in so many hundredths of its own size, as far as it has one."""
    own = next(iter(method.sizes(setting).values()), None)
    return method if own is None else method.of_size(max(1, round(own * number / 100)), setting)
