"""How the base is stored for a method: what the cell's settings and the method ask for, put together."""

from dataclasses import replace
from typing import TypedDict

from bench.configuration.schema import Dtype, ModelConfig, Quantisation, TrainingConfig
from bench.errors import UserError
from bench.methods.base import Method


class Storage(TypedDict):
    """How the base's values are stored, see `bench.methods.base.Setting`."""

    quantisation: Quantisation
    dtype: Dtype
    trained_dtype: Dtype


def storage(base: ModelConfig, training: TrainingConfig, method: Method, dtype: Dtype) -> Storage:
    """What the base is stored in.

    Args:
        base: the cell's model.
        training: the cell's training.
        method: may want the base quantised; one that trains the whole base reads it in the type that it is trained in.
        dtype: of the frozen base, not `auto`.

    Raises:
        UserError: the method wants it quantised, and the model's configuration in another way.
    """
    wanted = method.load_options().quantisation
    if Quantisation.none not in (wanted, base.quantisation) and wanted != base.quantisation:
        raise UserError(f"{method.title} is on a base in {wanted}; leave model.quantisation={base.quantisation} out")
    trained = Dtype.float32 if training.master_weights else dtype
    return Storage(
        quantisation=base.quantisation if wanted == Quantisation.none else wanted,
        dtype=trained if method.trains_base else dtype,
        trained_dtype=trained,
    )


def as_wanted(base: ModelConfig, method: Method) -> ModelConfig:
    """A model's configuration with what the method wants of a quantised base."""
    double = base.double_quantisation and method.load_options().double_quantisation
    return replace(base, double_quantisation=double)
