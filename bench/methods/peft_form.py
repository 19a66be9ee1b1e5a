"""What a method has trained in the peft library's own format: the content of its two files.

`PeftModel.from_pretrained(base, folder)` reads them without this package.
"""

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from bench.errors import UserError
from bench.methods.terms import Setting


@dataclass(frozen=True)
class PeftForm:
    """The content of `adapter_config.json` and `adapter_model.safetensors`.

    Attributes:
        settings: the first, as plain containers.
        tensors: the second, by the library's names, head included.
    """

    settings: dict[str, Any]
    tensors: dict[str, Tensor]


class InPeftForm:
    """A part of `bench.methods.base.Method`; by default what was trained has no such form."""

    title: str

    def why_no_peft_form(self, model: nn.Module, setting: Setting) -> str:
        """Why what was trained has no form in the peft library's files; "": it has one. Default: it is not peft's."""
        return f"{self.title} is not the peft library's"

    def peft_form(
        self, model: nn.Module, setting: Setting, state: dict[str, Tensor], base: str | None = None
    ) -> PeftForm:
        """A `stored_state` in the peft library's own format, where `why_no_peft_form` has no reason against it.

        Args:
            model: the adapted one, which the state is of.
            setting: of the cell.
            state: whole tensors.
            base: the base's name on the hub, if it has one.
        """
        raise UserError(self.why_no_peft_form(model, setting))

    def load_peft_form(self, model: nn.Module, setting: Setting, tensors: dict[str, Tensor]) -> None:
        """Put a `peft_form`'s tensors into a freshly adapted model, which is then ready for use.

        Raises:
            UserError: they do not belong to this model and method.
        """
        raise UserError(self.why_no_peft_form(model, setting))
