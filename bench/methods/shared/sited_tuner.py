"""Tuners of the peft library that sit on linear layers, named by family, and have settings of their own in a YAML."""

from dataclasses import dataclass
from typing import Any

import peft
import torch
from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING
from peft.tuners._buffer_dict import BufferDict
from torch import nn

from bench.configuration.schema import Quantisation
from bench.errors import UnsupportedError
from bench.methods.base import Setting
from bench.methods.shared.peft_files import ADAPTER
from bench.methods.shared.peft_library import AtSites, by_family, each, of_family
from bench.methods.shared.ranges import at_least_one, within_hidden_size


@dataclass(kw_only=True)
class SitedTuner(AtSites):
    """One of the library's tuners; subclasses say which, and with which options."""

    kind = ""  # the library's name of the type
    number = "r"  # the setting that says how large it is, one for all families or by family
    draws = False  # has matrices or places that are drawn from the cell's seed, frozen, and not stored
    on_packed = False  # leaves the base's weights to the base's own layers, which may be packed
    why_not_packed = "it computes with the base's weights"
    narrow = False  # its number is a rank or the like, which a layer has no more of than its width
    mergeable = True

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_number()

    def check_number(self) -> None:
        """Refuse a `number` that cannot be. Default: it counts something.

        Raises:
            UserError: it is below 1.
        """
        for value in each(getattr(self, self.number)):
            at_least_one(**{self.number: value})

    def check(self, setting: Setting) -> None:
        """What computes with the base's weights needs them unpacked; a rank is low."""
        super().check(setting)
        if setting.quantisation != Quantisation.none and not self.on_packed:
            raise UnsupportedError(f"{self.title} on {setting.quantisation}: {self.why_not_packed}, which are packed")
        if self.narrow:
            within_hidden_size(setting, **{self.number: self.chosen(setting)})

    def chosen(self, setting: Setting) -> int:
        """`number` for this model's family."""
        given: int | dict[str, int] = getattr(self, self.number)
        return of_family(given, setting, self.number)

    def sizes(self, setting: Setting) -> dict[str, int | float]:
        """What is chosen."""
        return {self.number: self.chosen(setting)}

    def options(self, setting: Setting) -> dict[str, Any]:
        """What the library's configuration is made of, besides its targets."""
        raise NotImplementedError

    def peft_config(self, setting: Setting) -> peft.PeftConfig:
        """The library's configuration on the full paths of the sites."""
        paths = setting.structure.paths(by_family(self.sites, setting, "sites"))
        kind: Any = PEFT_TYPE_TO_CONFIG_MAPPING[peft.PeftType(self.kind)]
        config: peft.PeftConfig = kind(target_modules=paths, **self.options(setting))
        return config

    def _wrap(self, model: nn.Module, config: peft.PeftConfig) -> nn.Module:
        """As for any tuner; what is drawn is drawn on the processor, so that every device has the same."""
        if not self.draws:
            return super()._wrap(model, config)
        device = next(model.parameters()).device
        with torch.device("cpu"):
            wrapped = super()._wrap(model, config)
        for module in wrapped.modules():
            if isinstance(module, BufferDict):
                module.to(device)
        return wrapped


def keep_beside(model: nn.Module, name: str) -> nn.Module:
    """Make buffers of the index tensors that the library's layers hold in a plain dictionary.

    The library (peft 0.21) copies them to the device in every forward pass.

    Args:
        model: a PeftModel.
        name: of the dictionary, whose keys are adapters.
    """
    for module in model.modules():
        held = getattr(module, name, None)
        if isinstance(held, dict) and ADAPTER in held:
            device = next(module.parameters()).device
            setattr(module, name, BufferDict({ADAPTER: held[ADAPTER].to(device)}, persistent=False))
    return model
