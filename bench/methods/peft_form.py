"""What a method has trained in the peft library's own format: the content of its two files.

`PeftModel.from_pretrained(base, folder)` reads them without this package.
"""

from dataclasses import dataclass
from typing import Any

from torch import Tensor


@dataclass(frozen=True)
class PeftForm:
    """The content of `adapter_config.json` and `adapter_model.safetensors`.

    Attributes:
        settings: the first, as plain containers.
        tensors: the second, by the library's names, head included.
    """

    settings: dict[str, Any]
    tensors: dict[str, Tensor]
