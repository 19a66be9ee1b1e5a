"""Which arithmetic goes with which type of the frozen base's values.

A base in 16 bits is computed in these 16 bits: anything else would widen every weight where it is used, and keep the
wide copy for the backward pass, so that nothing were saved. Whoever names a type alone gets its arithmetic.
"""

from typing import Any

from bench.configuration.schema import Dtype, Precision
from bench.errors import UserError

ARITHMETIC = {Dtype.float32: Precision.fp32, Dtype.bfloat16: Precision.bf16, Dtype.float16: Precision.fp16}


def precision_for(dtype: Dtype, wanted: Precision, trained: bool = True) -> Precision:
    """The arithmetic of a cell whose frozen base is of a type.

    Args:
        dtype: of the base, not `auto`.
        wanted: `training.precision`; auto: what goes with the type.
        trained: whether what is trained stays in fp32, `training.master_weights`.

    Raises:
        UserError: the two do not go together.
    """
    own = ARITHMETIC[dtype]
    if wanted not in (Precision.auto, own) and dtype != Dtype.float32:
        raise UserError(
            f"model.dtype={dtype} is computed in {own}, not in training.precision={wanted}; leave one of them out"
        )
    if not trained and dtype == Dtype.float16:
        raise UserError(
            "training.master_weights=false with model.dtype=float16: what is trained would vanish in fp16; "
            "say model.dtype=bfloat16, or keep the master weights"
        )
    return own if wanted == Precision.auto else wanted


def settle(config: dict[str, Any]) -> dict[str, Any]:
    """The configuration with its arithmetic spelt out, where the base's type says it; `auto` has to see the weights.

    Raises:
        UserError: see `precision_for`.
    """
    dtype, training = Dtype(config["model"]["dtype"]), config["training"]
    if dtype == Dtype.auto:
        return config
    precision = precision_for(dtype, Precision(training["precision"]), training["master_weights"])
    if training["precision"] == precision:
        return config
    return config | {"training": training | {"precision": precision.value}}
