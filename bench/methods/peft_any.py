"""Any tuner that the installed peft library has, by its type name.

What the library cannot do with a model ends as a record with status `unsupported` and the library's reason. Some of it
shows only when the model runs; so the method tries one batch before training. What the library would pass over in
silence is refused, see `bench.methods.library`.
"""

import copy
import dataclasses
from dataclasses import dataclass
from typing import Any

import peft
from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING
from torch import Tensor, nn

from bench.errors import UnsupportedError, UserError, unknown_name
from bench.methods.base import Act, Gradients, Layer, Setting
from bench.methods.library.places import fix_targets, name_targets
from bench.methods.library.refusals import refuse
from bench.methods.library.values import check_numbers, check_words
from bench.methods.shared.peft_library import (
    IN_THE_CACHE,
    PROMPT_ROW_LIMIT,
    TEXT,
    PeftMethod,
    check_positions,
    check_prompt,
    fit_prompt,
    innermost,
    task_type,
)  # fmt: skip
from bench.methods.shared.prefixed_attention import ATTENTION_LIMIT, ROW_LIMIT
from bench.methods.shared.reallotment import (
    SHORTEST,
    load_reallotment_state,
    reallot,
    reallotment_state,
    tuner_with_its_loss,
)  # fmt: skip
from bench.methods.trainable import trainable_parameters
from bench.models.fused import split_fused
from bench.models.head import head_parameters

TYPES: dict[str, type[peft.PeftConfig]] = {kind.value: config for kind, config in PEFT_TYPE_TO_CONFIG_MAPPING.items()}
VIRTUAL_TOKENS = 20  # unless the settings say how many
# Settings that act only where the model has something for them, and a part of the names of what they train.
SHOWN = {"bias": (".bias",), "decompose_both": ("lokr_w1_a",), "trainable_token_indices": ("trainable_tokens",)}
LONGEST = 400  # characters of a reason
PATIENCE = 50  # batches, until everything that is trained has had a part in one
# Without these the library has nothing to do.
REQUIRED = {"ADAPTION_PROMPT": ("adapter_len", "adapter_layers"), "TRAINABLE_TOKENS": ("token_indices",)}
# Of what these train, which entries may get no gradient in two steps, and why.
WITHOUT_GRADIENT = {
    "BOFT": "the diagonals of its blocks, which it makes skew-symmetric",
    "P_TUNING": "weights behind units of its network that are off for every virtual token",
    "TRAINABLE_TOKENS": "the tokens that no text of a batch has",
    "VBLORA": "the weights of vectors that are not among the top ones",
}


@dataclass(kw_only=True)
class PeftAny(PeftMethod):
    """Whatever `peft.type` names. Only the library knows its formula.

    Attributes:
        settings: `type`, and keys of the library's configuration class for it.
        sites: the linear layers that a tuner with `target_modules` adapts unless the settings name them or the type
            has its own; see `bench.methods.library.places`.
    """

    settings: dict[str, Any]
    sites: list[str]

    identity_at_start = False
    why_not_identity = "depends on the type"
    formula = "the library's"
    where = "query and value projections, unless the type has other places or `peft.target_modules` says so"
    trains = "what the library adds"

    def __post_init__(self) -> None:
        super().__post_init__()
        settings = dict(self.settings)
        kind = str(settings.pop("type", "")).upper()
        if not kind:
            raise UserError(f"peft/any needs peft.type=TYPE; known: {', '.join(sorted(TYPES))}")
        if kind not in TYPES:
            raise unknown_name("peft.type", kind, TYPES)
        self.kind, self.defaults = kind, _defaults(TYPES[kind])
        for key in settings.keys() - self.defaults.keys():
            raise unknown_name(f"setting of peft.type={kind}", key, self.defaults)
        self.options = {key: value for key, value in settings.items() if value != self.defaults[key]}
        check_numbers(TYPES[kind], self.options)
        # Of any tensor: the names are the library's.
        self.without_gradient = (("", WITHOUT_GRADIENT[kind]),) if kind in WITHOUT_GRADIENT else ()
        self.is_prompt = issubclass(TYPES[kind], peft.PromptLearningConfig)
        if self.is_prompt:
            self.layer, self.row_limit = Layer.inputs, PROMPT_ROW_LIMIT
        if kind in IN_THE_CACHE or kind == "ADAPTION_PROMPT":  # which computes an attention of its own beside
            self.attention_limit, self.row_limit = ATTENTION_LIMIT, ROW_LIMIT
        if kind == "LILY":
            self.row_limit = "the library weighs LILY's experts by all tokens of a batch, its padding among them"

    def peft_config(self, setting: Setting) -> peft.PeftConfig:
        """The library's configuration, with its targets, its task and the number of steps filled in where it asks."""
        options = copy.deepcopy(self.options)  # the library extends lists that it is given
        if "target_modules" in self.defaults:
            options = name_targets(self.kind, options, self.sites, setting)
        if self.kind == "ADALORA":
            options["total_step"] = setting.total_steps
        if options.get("loftq_config"):  # the library fills in what a dictionary lacks for every other one
            options["loftq_config"] = vars(peft.LoftQConfig()) | options["loftq_config"]
        if self.is_prompt:
            options["task_type"] = task_type(setting)
            options.setdefault("num_virtual_tokens", VIRTUAL_TOKENS)
            if self.kind not in IN_THE_CACHE:
                options["num_transformer_submodules"] = 1
        return TYPES[self.kind](**options)

    def acts(self, setting: Setting) -> dict[str, Act]:
        """The library's targets; of a prompt the text."""
        return {TEXT: Act()} if self.is_prompt and self.kind not in IN_THE_CACHE else super().acts(setting)

    def check(self, setting: Setting) -> None:
        """Every setting can be had, and the library accepts its value."""
        super().check(setting)
        refuse(self.kind, self.options, self.defaults, setting)
        check_words(TYPES[self.kind], self.options)
        for key in REQUIRED.get(self.kind, ()):
            if not self.options.get(key):
                raise UserError(f"peft.type={self.kind} needs peft.{key}=…")
        if self.is_prompt:
            check_prompt(f"peft.type={self.kind}", setting)
            check_positions(self.options.get("num_virtual_tokens", VIRTUAL_TOKENS), setting)
        if self.kind == "ADALORA" and setting.total_steps - self.options.get("tfinal", 0) < SHORTEST:
            raise UserError(
                f"peft.type=ADALORA needs {SHORTEST} steps before its last peft.tfinal ones, to weigh and drop"
            )
        try:
            config = self.peft_config(setting)
        except Exception as error:  # the library's classes raise what they like; each is its reason
            raise UserError(f"peft.type={self.kind}: {_one_line(error)}") from error
        if isinstance(config, peft.AdaLoraConfig) and config.target_r > config.init_r:
            raise UserError(f"peft.target_r={config.target_r} exceeds peft.init_r={config.init_r}")

    def apply(self, model: nn.Module, setting: Setting) -> nn.Module:
        """Wrap the model.

        Raises:
            UserError: a setting names what is not there, or would change nothing.
            UnsupportedError: the library refuses it.
        """
        config = self.peft_config(setting)
        if isinstance(config, peft.PromptLearningConfig):
            fit_prompt(config, model)
        split_fused(innermost(model), setting.structure, self.targets(setting))
        fix_targets(self.kind, config, model, setting)
        try:
            wrapped = peft.get_peft_model(model, config)
        except Exception as error:  # the library's tuners raise what they like; each is its reason
            raise UnsupportedError(f"{self.kind} on {type(model).__name__}: {_one_line(error)}") from error
        self._check_shown(wrapped, setting)
        return tuner_with_its_loss(wrapped) if self.kind == "ADALORA" else wrapped

    def file_settings(self) -> dict[str, Any]:
        """Random projections are drawn again from the seed that the configuration names, as by the methods named so."""
        return {"save_projection": False} if "save_projection" in self.defaults else {}

    def _check_shown(self, model: nn.Module, setting: Setting) -> None:
        """Something is trained, and what is asked for by `SHOWN` is a part of it."""
        head = {name for name, _ in head_parameters(model, setting.structure)}
        trained = [name for name, p in trainable_parameters(model) if name not in head and p.numel()]
        if not trained:
            raise UserError(f"peft.type={self.kind} trains nothing with these settings")
        for key, parts in SHOWN.items():
            value = self.options.get(key)
            if value not in (None, False, "none") and not any(part in name for name in trained for part in parts):
                raise UserError(f"peft.{key}={value} changes nothing in this model: it finds nothing to act on")

    def prepare(self, model: nn.Module, gradients: Gradients) -> None:
        """Try one batch; more where a part of what is trained had no part in it, as dropped modules have not.

        Raises:
            UnsupportedError: the library fails on it, or something that counts as trained has no part in the loss.
        """
        idle = {name for name, _ in trainable_parameters(model)}
        batches = gradients()
        for _ in range(PATIENCE):
            try:
                loss = next(batches)
            except StopIteration:
                break
            except Exception as error:  # as above
                raise UnsupportedError(f"{self.kind} on this model: {_one_line(error)}") from error
            if not loss.isfinite():
                raise UnsupportedError(f"{self.kind} on this model: the loss of the first batch is {loss.item()}")
            idle -= {name for name, parameter in trainable_parameters(model) if parameter.grad is not None}
            if not idle:
                break
        model.zero_grad()
        if idle:
            raise UnsupportedError(
                f"{self.kind} on this model: {len(idle)} of the trained tensors have no part in the loss, "
                f"first {min(idle)}"
            )

    def after_step(self, model: nn.Module, step: int) -> None:
        """AdaLoRA's ranks fall."""
        if self.kind == "ADALORA":
            reallot(model, step)

    def extra_state(self, model: nn.Module) -> dict[str, Tensor]:
        """Where AdaLoRA's ranks are."""
        return reallotment_state(model) if self.kind == "ADALORA" else {}

    def load_extra_state(self, model: nn.Module, state: dict[str, Tensor]) -> None:
        """Put that back."""
        if self.kind == "ADALORA":
            load_reallotment_state(model, state)


def _defaults(config_class: type[peft.PeftConfig]) -> dict[str, Any]:
    """The settings of one of the library's classes with their defaults."""
    return {
        field.name: field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
        for field in dataclasses.fields(config_class)
        if field.init and field.name != "peft_type"
    }


def _one_line(error: Exception) -> str:
    """The library quotes whole modules in the middle of its reasons; their beginning and end say enough."""
    text = " ".join(str(error).split())
    return (text if len(text) <= LONGEST else f"{text[:100]} … {text[100 - LONGEST :]}") or type(error).__name__
