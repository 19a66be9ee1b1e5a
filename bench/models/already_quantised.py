"""Refuses a base that is stored quantised: every method on it would be another one than its name says."""

from collections.abc import Mapping
from typing import Any

from bench.errors import UserError
from bench.models.checkpoint import FLOATS, Stored

SMALL = ("F8_", "F6_", "F4", "torch.float8_", "torch.float4_")  # floats; integers may be in buffers too
ADVICE = "take its unquantised checkpoint, which method=qlora or model.quantisation=nf4|int8 quantise as they say"


def refuse_quantised(architecture: Any, source: str) -> None:
    """Refuse a base that is stored quantised: every method on it would be another one than its name says.

    Args:
        architecture: the model's transformers configuration.
        source: what the user called the model.

    Raises:
        UserError: config.json says that it is.
    """
    # The older name is compressed-tensors' own.
    found = getattr(architecture, "quantization_config", None) or getattr(architecture, "compression_config", None)
    if found:
        about = found if isinstance(found, dict) else getattr(found, "__dict__", {})
        kind = f"quant_method {about.get('quant_method')} in config.json"
        raise UserError(f"{source}: the base is stored quantised ({kind}); {ADVICE}")


def refuse_packed(stored: Mapping[str, Stored], source: str) -> None:
    """Refuse a base that is stored quantised although its config.json does not say so.

    Args:
        stored: the checkpoint's tensors.
        source: what the user called the model.

    Raises:
        UserError: a weight is stored in integers, or in floats of eight bits or less.
    """
    for name, tensor in stored.items():
        if tensor.dtype.startswith(SMALL) or (name.endswith("weight") and tensor.dtype not in FLOATS.values()):
            raise UserError(f"{source}: the base is stored quantised ({name} in {tensor.dtype}); {ADVICE}")
