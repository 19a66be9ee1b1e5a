"""Methods that the Hugging Face peft library implements, seen through the harness's protocol.

Tuners (LoRA, (IA)³, …) are injected without a task type, so that peft leaves the task head alone: the runner trains
one head for every method, counted once. Prompt learning needs peft's task wrappers, which keep a frozen copy of the
head beside the trained one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import peft
from peft.tuners.tuners_utils import BaseTuner
from torch import Tensor, nn

from bench.configuration.schema import Family
from bench.errors import UnsupportedError, UserError, unknown_name
from bench.methods.adapting import unpacked
from bench.methods.base import Layer, Method, Setting
from bench.methods.peft_form import PeftForm
from bench.methods.shared.made_on_device import make_on_device
from bench.methods.shared.peft_files import ADAPTER, PROMPT, in_file, name_in_file, why_not_in_files
from bench.methods.shared.ranges import at_least_one, check_head_is_left
from bench.methods.trainable import copy_into, freeze
from bench.models.fused import fuse, split_fused
from bench.models.quantisation import is_quantised

LANGUAGE_MODELS = {
    Family.encoder_decoder: peft.TaskType.SEQ_2_SEQ_LM,
    Family.decoder: peft.TaskType.CAUSAL_LM,
}

# Prefixes that the library hands over in the cache of keys and values.
IN_THE_CACHE = (peft.PeftType.PREFIX_TUNING, peft.PeftType.CARTRIDGE)

TEXT = "the front of the text"  # what every prompt acts on
PROMPT_ROW_LIMIT = "virtual tokens stand in front of a row, and each text needs its own"

T = TypeVar("T")


@dataclass(kw_only=True)
class PeftMethod(Method):
    """A method whose modules come from the peft library; subclasses say which configuration."""

    def peft_config(self, setting: Setting) -> peft.PeftConfig:
        """The library's configuration for this model."""
        raise NotImplementedError

    def targets(self, setting: Setting) -> list[str]:
        """The library's targets, where they are a list."""
        named = getattr(self.peft_config(setting), "target_modules", None)
        return [] if named is None or isinstance(named, str) else sorted(named)

    def apply(self, model: nn.Module, setting: Setting) -> nn.Module:
        """Wrap `model` in a PeftModel; the library freezes the base."""
        split_fused(innermost(model), setting.structure, self.targets(setting))
        return self._wrap(model, self.peft_config(setting))

    def _wrap(self, model: nn.Module, config: peft.PeftConfig) -> nn.Module:
        try:
            wrapped = peft.get_peft_model(model, config)
        except (ValueError, TypeError, NotImplementedError) as error:
            raise UnsupportedError(f"{self.title} on {type(model).__name__}: {error}") from error
        if isinstance(config, peft.PromptLearningConfig):
            make_on_device(wrapped)
        return wrapped

    def why_no_peft_form(self, model: nn.Module, setting: Setting) -> str:
        """What the library's own loader could not put together again."""
        if not hasattr(model, "peft_config"):
            return "nothing of the peft library's is in this model"
        config, state = _config(model), self.stored_state(model)
        prompts = [tensor for name, tensor in state.items() if self.name_in_file(model, name) == PROMPT]
        if len(prompts) > 1:
            return "its virtual tokens come from a network, and the library's files keep the tokens alone"
        if isinstance(config, peft.PromptLearningConfig) and [len(p) for p in prompts] != [config.num_virtual_tokens]:
            return "some of its virtual tokens are not trained, and the library's files keep the trained ones alone"
        return why_not_in_files(innermost(model), setting.structure.head)

    def peft_form(
        self, model: nn.Module, setting: Setting, state: dict[str, Tensor], base: str | None = None
    ) -> PeftForm:
        """What the library's own `save_pretrained` would write, with the head as one of the modules to save."""
        settings = in_file(_config(model), task_type(setting), setting.structure.head, base)
        tensors = state | self.drawn(model)
        named = {self.name_in_file(model, name): tensor.detach() for name, tensor in tensors.items()}
        return PeftForm(settings | self.file_settings(), named)

    def load_peft_form(self, model: nn.Module, setting: Setting, tensors: dict[str, Tensor]) -> None:
        """Put them where the names of this model's own state say."""
        drawn = self.drawn(model)
        names = {self.name_in_file(model, name): name for name in [*self.stored_state(model), *drawn]}
        state = {names.get(name, name): tensor for name, tensor in tensors.items()}
        copy_into(drawn, {name: tensor for name, tensor in state.items() if name in drawn})
        self.load_stored_state(model, {name: tensor for name, tensor in state.items() if name not in drawn})

    def name_in_file(self, model: nn.Module, name: str) -> str:
        """The library's name of a tensor of a `stored_state`."""
        return name_in_file(name, _config(model).peft_type)  # type: ignore[arg-type]  # always there

    def file_settings(self) -> dict[str, Any]:
        """What the library's configuration has to say otherwise in a file. Default: nothing."""
        return {}

    def drawn(self, model: nn.Module) -> dict[str, Tensor]:
        """What is drawn from the cell's seed, not stored, and cannot be drawn by the library: its file has it too."""
        return {}

    def merge(self, model: nn.Module, setting: Setting) -> nn.Module:
        """Let the library fold its weights into the base; a quantised one is dequantised first.

        Four bits could not hold what was trained: the method is applied anew to the dequantised base, then merged.
        """
        if not self.mergeable:
            return super().merge(model, setting)
        if is_quantised(model):
            model = unpacked(model, self, setting, model.unload)  # type: ignore[arg-type]  # of a PeftModel or a tuner
        merged = model.merge_and_unload()  # type: ignore[operator]  # of a PeftModel or a tuner
        assert isinstance(merged, nn.Module)
        fuse(merged)
        return merged


@dataclass(kw_only=True)
class AtSites(PeftMethod):
    """A tuner of the library's at linear layers.

    Attributes:
        sites: by family, which linear layers, see `bench.models.structure.SITES`; of none the head alone is left.
    """

    sites: dict[str, list[str]]

    def check(self, setting: Setting) -> None:
        """There are sites, or a task head to be trained without them."""
        super().check(setting)
        if not by_family(self.sites, setting, "sites"):
            check_head_is_left(self.title, setting)

    def apply(self, model: nn.Module, setting: Setting) -> nn.Module:
        """Wrap `model`, if there is anything to be put into it."""
        if not by_family(self.sites, setting, "sites"):
            freeze(model)
            return model
        return super().apply(model, setting)

    def merge(self, model: nn.Module, setting: Setting) -> nn.Module:
        """Fold the weights in, if there are any."""
        return super().merge(model, setting) if by_family(self.sites, setting, "sites") else model


@dataclass(kw_only=True)
class PromptLearning(PeftMethod):
    """Virtual tokens in front of the text.

    Attributes:
        num_virtual_tokens: how many.
    """

    num_virtual_tokens: int

    size = "num_virtual_tokens"
    identity_at_start = False
    layer = Layer.inputs
    row_limit = PROMPT_ROW_LIMIT

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least_one(num_virtual_tokens=self.num_virtual_tokens)

    def check(self, setting: Setting) -> None:
        """Virtual tokens take up positions, where positions are absolute."""
        super().check(setting)
        check_positions(self.num_virtual_tokens, setting)

    def apply(self, model: nn.Module, setting: Setting) -> nn.Module:
        """Wrap `model`; a prompt is as wide as the embeddings that it stands beside."""
        config = self.peft_config(setting)
        assert isinstance(config, peft.PromptLearningConfig)
        fit_prompt(config, model)
        return self._wrap(model, config)

    def why_not_mergeable(self) -> str:
        """The reason, for the error message."""
        return "virtual tokens are inputs, not weights"


def task_type(setting: Setting) -> peft.TaskType:
    """What the library calls the cell's kind of task."""
    return peft.TaskType.SEQ_CLS if setting.structure.head else LANGUAGE_MODELS[setting.family]


def _config(model: Any) -> peft.PeftConfig:
    config: peft.PeftConfig = model.peft_config[ADAPTER]
    return config


def innermost(model: nn.Module) -> nn.Module:
    """The pretrained model inside the library's wrappers; the paths of a structure are relative to it."""
    while isinstance(model, peft.PeftModel | BaseTuner):
        model = model.get_base_model() if isinstance(model, peft.PeftModel) else model.model
    return model


def check_positions(virtual_tokens: int, setting: Setting) -> None:
    """Refuse virtual tokens that do not fit beside the longest text, where positions are absolute.

    Raises:
        UserError: they do not.
    """
    limit = setting.structure.max_positions
    if limit is not None and virtual_tokens + setting.max_length > limit:
        raise UserError(
            f"{virtual_tokens} virtual tokens + training.max_length={setting.max_length} exceed the "
            f"model's {limit} positions; lower one of them"
        )


def check_prompt(what: str, setting: Setting) -> None:
    """Refuse a prompt in front of embeddings where a decoder reads the text's tokens too.

    Args:
        what: the method, as a message begins.
        setting: the cell's.

    Raises:
        UnsupportedError: the model is an encoder-decoder with a task head.
    """
    if setting.family == Family.encoder_decoder and setting.structure.head:
        raise UnsupportedError(
            f"{what} on an encoder-decoder with a task head: its decoder reads the text's tokens, and a prompt has none"
        )


def fit_prompt(config: peft.PromptLearningConfig, model: nn.Module) -> None:
    """Let virtual tokens be as wide as the model's embeddings, which on ELECTRA are narrower than its layers.

    The library takes the layers' width for both. Prefixes are keys and values, and stay as wide as the layers; where
    all queries share one head of them (Falcon), the library does not see it.
    """
    own: Any = model.config
    if config.peft_type in IN_THE_CACHE and getattr(own, "multi_query", False):
        config.num_attention_heads, config.token_dim = 1, own.hidden_size // own.num_attention_heads
    if config.peft_type not in IN_THE_CACHE:
        # The library asks for both under the names of some types only, not DistilBERT's; here it makes no use of them.
        config.num_attention_heads = getattr(own, "num_attention_heads", config.num_attention_heads)
        config.num_layers = getattr(own, "num_hidden_layers", config.num_layers)
        config.token_dim = model.get_input_embeddings().embedding_dim  # type: ignore[operator]


def of_family(given: T | dict[str, T], setting: Setting, key: str) -> T:
    """What a YAML says under `key`, for all families or for this model's.

    Raises:
        UserError: the family is not in it, or something that is no family is.
    """
    return by_family(given, setting, key) if isinstance(given, dict) else given


def each(given: T | dict[str, T]) -> list[T]:
    """Every value that a YAML says, for all families or by family."""
    return [*given.values()] if isinstance(given, dict) else [given]


def by_family(settings: Mapping[str, T], setting: Setting, key: str) -> T:
    """What a YAML says under `key` for this model's family.

    Raises:
        UserError: the family is not in it, or something that is no family is.
    """
    for name in settings.keys() - set(Family):
        raise unknown_name(f"family in method.{key}", name, [*Family])
    if setting.family not in settings:
        raise UserError(f"method.{key} says nothing of the family '{setting.family}'")
    return settings[setting.family]
