"""The words that a method and the life of a cell share: what one tells the other, and what is said back.

`bench.methods.base` passes them on, with the protocol that is made of them.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

from torch import Tensor, nn

from bench.configuration.schema import Dtype, Family, Quantisation
from bench.models.quantisation import check_packable
from bench.models.structure import Structure

Batch = dict[str, Tensor]
Gradients = Callable[[], Iterator[Tensor]]

NO_DIFFERENCES: tuple[str, ...] = ()
NO_EXCUSE: tuple[tuple[str, str], ...] = ()


class Category(StrEnum):
    """The survey's taxonomy (Section III)."""

    none = "none"  # trains nothing: for comparison
    full = "full"
    additive = "additive"
    partial = "partial"
    reparameterised = "reparameterised"
    hybrid = "hybrid"
    unified = "unified"


@dataclass(frozen=True)
class Setting:
    """What a method may know of the cell it runs in. Nothing of the task but its sizes.

    Attributes:
        family: the kind of model.
        structure: the sites of the bare model; paths relative to it.
        total_steps: optimizer steps of the whole training.
        max_length: the longest input, in tokens (special tokens included, virtual tokens not).
        gradient_checkpointing: whether activations are recomputed in the backward pass.
        quantisation: how the base's linear layers are stored.
        dtype: of the base's values, as far as they are not quantised.
        trained_dtype: of the values that are trained; the runner gives it to them, whatever `apply` makes.
        seed: the cell's: of what a method draws, freezes and does not store.
    """

    family: Family
    structure: Structure
    total_steps: int
    max_length: int
    gradient_checkpointing: bool = False
    quantisation: Quantisation = Quantisation.none
    dtype: Dtype = Dtype.float32
    trained_dtype: Dtype = Dtype.float32
    seed: int = 0

    def check(self) -> None:
        """Refuse what no method could have with this model.

        Raises:
            UserError: inputs are longer than it takes.
            UnsupportedError: it cannot be stored as is asked for.
        """
        self.structure.check_length(self.max_length)
        if self.quantisation != Quantisation.none:
            check_packable(self.structure, self.quantisation)


@dataclass(frozen=True)
class Act:
    """How a method changes what a place of the model gives, for the order of composed methods.

    Attributes:
        depth: how far outside it acts, where what has one name has several places behind one another.
        adds: it adds something that does not depend on what comes out there: two such are the same in either order.
    """

    depth: int = 0
    adds: bool = False


class Layer(IntEnum):
    """How deep in the model a method acts: the order in which composed methods are applied, innermost first."""

    weights = 0  # the base's own parameters
    modules = 1  # replaces linear layers
    activations = 2  # acts on what modules compute
    inputs = 3  # wraps the whole model


@dataclass(frozen=True)
class LoadOptions:
    """How the method wants the base model loaded.

    Attributes:
        quantisation: how its linear layers are stored.
        double_quantisation: of nf4; false: the scales of the blocks are not quantised, whatever the model's setting.
    """

    quantisation: Quantisation = Quantisation.none
    double_quantisation: bool = True


@dataclass(frozen=True)
class ParameterGroup:
    """Trained parameters with a treatment of their own.

    Attributes:
        parameters: with their names in the model.
        learning_rate: None: the cell's.
        entries: by name, a boolean tensor of the parameter's shape: the entries that may change. Weight decay leaves
            the others alone; their gradients the method itself has to silence.
    """

    parameters: list[tuple[str, nn.Parameter]]
    learning_rate: float | None = None
    entries: dict[str, Tensor] = field(default_factory=dict)
