"""Let the peft library make what stands for its virtual tokens on the model's device.

It makes their attention mask, labels and numbers on the host in every forward pass, and the host then waits until the
device has come so far, two or three times in each (peft 0.21, the `forward` and `get_prompt` of its task wrappers).
The values are the same, wherever they are made.
"""

from contextlib import ExitStack
from typing import Any

from torch import nn


def make_on_device(model: Any) -> None:
    """From now on, what `model` makes between its own call and that of the model inside is made where its weights are.

    Args:
        model: a PeftModel of prompt learning.
    """
    opened = ExitStack()
    for name, numbers in model.prompt_tokens.items():
        # As a buffer they move with the model; the library keeps them where they were made.
        model.prompt_encoder[name].register_buffer("numbers", numbers, persistent=False)

    def begin(module: Any, _: Any) -> None:
        device = next(module.parameters()).device
        if device.type != "cpu":
            module.prompt_tokens = {name: encoder.numbers for name, encoder in module.prompt_encoder.items()}
            opened.enter_context(device)

    def end(*_: Any) -> None:
        opened.close()

    base: nn.Module = model.get_base_model()
    model.register_forward_pre_hook(begin)
    # A prefix on an encoder goes to its backbone past the rest; the library does not name one inside another wrapper.
    backbone = getattr(model, "transformer_backbone_name", "")
    for inside in {base, base.get_submodule(backbone)}:
        inside.register_forward_pre_hook(end)
    model.register_forward_hook(end, always_call=True)  # an error before the model inside was reached
