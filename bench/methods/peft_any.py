"""Any tuner that the installed peft library has, by its type name.

What the library cannot do with a model ends as a record with status `unsupported` and the library's reason. Some of it
shows only when the model runs; so the method tries one batch before training.
"""

import inspect
from dataclasses import dataclass
from typing import Any

import peft
from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING
from torch import nn

from bench.errors import UnsupportedError, UserError, unknown_name
from bench.methods.base import Gradients, Setting
from bench.methods.shared.peft_library import TASK_TYPES, PeftMethod

TYPES: dict[str, type[peft.PeftConfig]] = {kind.value: config for kind, config in PEFT_TYPE_TO_CONFIG_MAPPING.items()}


@dataclass(kw_only=True)
class PeftAny(PeftMethod):
    """Whatever `peft.type` names. Only the library knows its formula.

    Attributes:
        settings: `type`, and keys of the library's configuration class for it.
        sites: the linear layers that a tuner with `target_modules` adapts unless the settings name them; see
            `bench.models.structure.SITES`.
    """

    settings: dict[str, Any]
    sites: list[str]

    identity_at_start = False
    why_not_identity = "depends on the type"
    formula = "the library's"
    where = "query and value projections, unless `peft.target_modules` says otherwise"
    trains = "what the library adds"

    def __post_init__(self) -> None:
        super().__post_init__()
        settings = dict(self.settings)
        kind = str(settings.pop("type", "")).upper()
        if not kind:
            raise UserError(f"peft/any needs peft.type=TYPE; known: {', '.join(sorted(TYPES))}")
        if kind not in TYPES:
            raise unknown_name("peft.type", kind, TYPES)
        self.kind, self.options = kind, settings
        for key in settings.keys() - self._keys:
            raise unknown_name(f"setting of peft.type={kind}", key, self._keys)

    @property
    def _keys(self) -> set[str]:
        """Names of the settings of the library's class, without those that the harness sets."""
        return set(inspect.signature(TYPES[self.kind]).parameters) - {"peft_type", "task_type", "inference_mode"}

    def peft_config(self, setting: Setting) -> peft.PeftConfig:
        """The library's configuration, with its sites, its task and the number of steps filled in where it asks."""
        options = dict(self.options)
        if "target_modules" in self._keys:
            options.setdefault("target_modules", setting.structure.paths(self.sites))
        if "total_step" in self._keys:
            options.setdefault("total_step", setting.total_steps)
        if issubclass(TYPES[self.kind], peft.PromptLearningConfig):
            options["task_type"] = TASK_TYPES[setting.family]
            options.setdefault("num_virtual_tokens", 20)
        return TYPES[self.kind](**options)

    def check(self, setting: Setting) -> None:
        """The library accepts the settings' values."""
        super().check(setting)
        try:
            self.peft_config(setting)
        except (ValueError, TypeError) as error:
            raise UserError(f"peft.type={self.kind}: {_one_line(error)}") from error

    def apply(self, model: nn.Module, setting: Setting) -> nn.Module:
        """Wrap the model.

        Raises:
            UnsupportedError: the library refuses it.
        """
        try:
            return peft.get_peft_model(model, self.peft_config(setting))
        except Exception as error:  # the library's tuners raise what they like; each is its reason
            raise UnsupportedError(f"{self.kind} on {type(model).__name__}: {_one_line(error)}") from error

    def prepare(self, model: nn.Module, gradients: Gradients) -> None:
        """Try one batch.

        Raises:
            UnsupportedError: the library fails on it.
        """
        try:
            loss = next(gradients())
        except Exception as error:  # as above
            raise UnsupportedError(f"{self.kind} on this model: {_one_line(error)}") from error
        if not loss.isfinite():
            raise UnsupportedError(f"{self.kind} on this model: the loss of the first batch is {loss.item()}")
        model.zero_grad()


def _one_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
