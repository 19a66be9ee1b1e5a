"""Where a transformers configuration says how many layers a stack has."""

from typing import Any

NAMES = {"encoder": ("encoder_layers", "num_layers"), "decoder": ("decoder_layers", "num_decoder_layers")}


def depth_key(config: Any, stack: str) -> str | None:
    """The key of the number of layers; other names of the same are transformers' own business.

    Args:
        config: of the model.
        stack: "encoder" or "decoder".

    Returns:
        None where no key that is known says it.
    """
    text = config.get_text_config()
    names = (*(NAMES[stack] if config.is_encoder_decoder else ()), "num_hidden_layers")
    return next((name for name in names if isinstance(getattr(text, name, None), int)), None)
