"""What a fine-tuning method is: the protocol between a method and the life of a cell.

The runner calls, in this order: `check` (before any weight is loaded), `load_options`, `apply`, `prepare`,
`parameter_groups`; in every step `on_gradients` and `after_step`; at the end `stored_state` and, on request, `merge`. A
method of your own subclasses `Method`, fills in `apply`, and overrides what it needs; its fields are the keys of its
YAML file. What is said between the two has its words in `bench.methods.terms`; what is kept of a trained model is in
`bench.methods.states`, and its form in the peft library's files in `bench.methods.peft_form`.
"""

from dataclasses import dataclass, field, replace
from typing import Any, Self

from torch import nn

from bench.configuration.schema import Optimiser, Quantisation
from bench.errors import UnsupportedError, UserError
from bench.methods.budget import Budget, Size
from bench.methods.folding import foldables, training_only
from bench.methods.peft_form import InPeftForm
from bench.methods.states import States
from bench.methods.terms import (
    NO_DIFFERENCES,
    NO_EXCUSE,
    Act,
    Batch,
    Category,
    Gradients,
    Layer,
    LoadOptions,
    ParameterGroup,
    Setting,
)  # fmt: skip
from bench.methods.trainable import trainable_parameters

__all__ = [
    "NO_DIFFERENCES", "NO_EXCUSE", "Act", "Batch", "Category", "Gradients", "Layer", "LoadOptions", "Method",
    "ParameterGroup", "Setting", "Shared",
]  # fmt: skip


@dataclass(kw_only=True)
class Method(States, InPeftForm):
    """One way to fine-tune a pretrained model. Subclasses are dataclasses; each field is a key of the YAML file.

    Attributes:
        name: as on the command line.
        title: as tables print it.
        category: where the survey's taxonomy puts it.
        paper: authors, year and link.
        budget: how large it is to be, in place of its own size; see `bench.methods.budget`.
        components: by name, whether its settings mean that it is on, off or moot; see `bench.configuration.components`.
    """

    name: str
    title: str
    category: Category
    paper: str
    budget: str | int | float | None = None
    components: dict[str, str] = field(default_factory=dict)

    # What every method says of itself; not fields, so no YAML can change them.
    identity_at_start = True  # the adapted model computes what the bare one does, before training
    why_not_identity = ""  # the reason where it does not
    mergeable = False  # what was trained can be folded into the base's own weights
    trains_anything = True  # if not, there is no training, and the head stays as it is as well
    trains_base = False  # updates the base's own matrices, which a quantised base has only in packed form
    # Works on parameters that are cut over several processes: no hook needs a whole tensor, no blocks share one.
    shardable = False
    # Why attention must be sdpa or eager, whose functions and masks can be exchanged; empty: any kind will do.
    attention_limit = ""
    # Why each text needs a row of its own; empty: several may stand in one row (`training.padding_free`), as what is
    # done to a token depends on no other token but through the model's own attention.
    row_limit = ""
    size = ""  # the setting, a whole number from 1 on, that its parameters grow with; empty: none of that kind
    layer = Layer.modules
    # At a place where another method of its layer acts too, each takes what the other gives for the base's result.
    stacks = False
    adds = False  # at linear layers: what it adds to the result depends on the layer's input alone
    formula = ""  # one line for the documentation
    where = ""  # where it sits, one line
    trains = ""  # what is updated, one line
    differences = NO_DIFFERENCES  # where it is not what its authors run; a line each
    # Parts of names of counted parameters of which some entries may get no gradient in the first two steps, and why.
    without_gradient = NO_EXCUSE

    def __post_init__(self) -> None:
        self.category = Category(self.category)
        # A label makes no other cell, so that it cannot decide what is done: it has to agree with the class.
        if (self.category == Category.none) == self.trains_anything:
            does = "trains something" if self.trains_anything else "trains nothing"
            raise UserError(
                f"method.category={self.category}: 'none' is for what trains nothing, and {self.name} {does}"
            )
        if self.budget is not None:
            Budget.of(self.budget)

    # Size -----------------------------------------------------------------------------------------------------------

    def of_size(self, number: int, setting: Setting) -> Self:
        """The same method in another size, from 1 on: the larger it is, the more parameters. Default: `size` is it.

        Raises:
            UnsupportedError: it has no size.
            UserError: it cannot be so large.
        """
        if not self.size:
            raise UnsupportedError(f"{self.title} has no size that a budget could choose")
        changed: dict[str, Any] = {self.size: number}
        return replace(self, **changed, budget=None)

    def in_size(self, size: Size, setting: Setting) -> Self:
        """The same method in a size that `bench.metering.sizing` has found: a number, or one for each part."""
        assert isinstance(size, int), f"{self.name} has no parts"
        return self.of_size(size, setting)

    def shared_out(self, setting: Setting) -> dict[str, "Shared"]:
        """The parts that each get a declared share of the budget, by name. Default: it is not shared out.

        Raises:
            UserError: the shares are not of these parts.
        """
        return {}

    def sizes(self, setting: Setting) -> dict[str, int | float]:
        """The settings that its size is made of, by name. Default: `size`; of none, nothing."""
        return {self.size: getattr(self, self.size)} if self.size else {}

    # Before training ------------------------------------------------------------------------------------------------

    def check(self, setting: Setting) -> None:
        """Refuse settings that cannot work with this model and these lengths, before any weight is loaded.

        `setting.structure` is that of the model on the meta device.

        Raises:
            UserError: a setting that does not fit, said in one line.
            UnsupportedError: the method and the model do not go together.
        """
        if self.trains_base and setting.quantisation != Quantisation.none:
            raise UnsupportedError(
                f"{self.title} trains the base's own weights, which {setting.quantisation} has packed"
            )

    def load_options(self) -> LoadOptions:
        """How the base model is to be loaded."""
        return LoadOptions()

    def targets(self, setting: Setting) -> list[str]:
        """Paths of the linear layers that the method acts on one by one, as far as it names them. Default: none.

        Where one is a part of a fused projection, `bench.models.fused.split_fused` makes it; `apply` calls that.
        """
        return []

    def acts(self, setting: Setting) -> dict[str, Act]:
        """The places whose results it changes, by name, for the order of composed methods. Default: its targets."""
        return {path: Act(adds=self.adds) for path in self.targets(setting)}

    def apply(self, model: nn.Module, setting: Setting) -> nn.Module:
        """Adapt `model` in place or wrap it; afterwards exactly the method's own parameters require gradients.

        The task head is not the method's business: the runner makes it trainable for every method alike. May be
        called with a model on the meta device, to count.
        """
        raise NotImplementedError

    def parameter_groups(self, model: nn.Module) -> list[ParameterGroup]:
        """The parameters that the optimizer updates. Default: all that require gradients, at one learning rate."""
        return [ParameterGroup(list(trainable_parameters(model)))]

    def optimiser(self) -> Optimiser:
        """What the method is trained with, unless the cell says `training.optimiser`."""
        return Optimiser.adamw

    def rate_multipliers(self) -> dict[str, float]:
        """By kind of parameter or part of its name, see `training.rate_multipliers`. Default: none."""
        return {}

    def prepare(self, model: nn.Module, gradients: Gradients) -> None:
        """Look at the training set once before training.

        Iterating over `gradients()` goes through it batch by batch, in training mode, and leaves the gradient of the
        batch's mean loss in every trainable parameter's `grad` until the next one; it yields that loss.
        """

    # In every step --------------------------------------------------------------------------------------------------

    def on_gradients(self, model: nn.Module) -> None:
        """Change a step's gradients once they are clipped, before the optimizer sees them. Must not synchronise."""

    def after_step(self, model: nn.Module, step: int) -> None:
        """Act after optimizer step `step` (counted from 1), while the gradients are still there.

        Not after one that was left out because a gradient overflowed (`training.precision=fp16`).
        """

    # After training -------------------------------------------------------------------------------------------------

    def merge(self, model: nn.Module, setting: Setting) -> nn.Module:
        """Fold what was trained into the base's own weights, and return a model of the base's own class.

        Raises:
            UserError: the method cannot be folded in.
        """
        raise UserError(f"{self.title} cannot be merged into the base model: {self.why_not_mergeable()}")

    def why_not_mergeable(self) -> str:
        """The reason, for the error message."""
        return "what it adds is not a change of the base's weights"

    # Counting -------------------------------------------------------------------------------------------------------

    def trained_count(self, model: nn.Module) -> int:
        """How many values the optimizer really updates, head included."""
        return sum(parameter.numel() for _, parameter in trainable_parameters(model)) - self.held_count(model)

    def held_count(self, model: nn.Module) -> int:
        """How many entries require gradients and are never updated. Default: none."""
        return 0

    def training_only_count(self, model: nn.Module) -> int:
        """How many of the updated values are needed for training only: reparameterisation networks, mask scores."""
        spare = training_only(model)
        return sum(parameter.numel() for _, parameter in trainable_parameters(model) if id(parameter) in spare)

    def stored_count(self, model: nn.Module) -> float:
        """The size of `stored_state` in 32-bit values, head included; a packed bit counts as 1/32."""
        kept = self.trained_count(model) - self.training_only_count(model)
        return kept + sum(module.folded_count() for _, module in foldables(model)) + self.packed_count(model)

    def packed_count(self, model: nn.Module) -> float:
        """What `pack` adds to it, in 32-bit values. Default: nothing."""
        return 0


@dataclass(frozen=True)
class Shared:
    """A part of a method that has a share of its budget.

    Attributes:
        method: the part.
        share: of what parts without a size leave.
    """

    method: Method
    share: float
