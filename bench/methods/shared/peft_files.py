"""How the peft library names and describes in its files what it holds in a model.

In a model, names have that of the adapter in them, and heads lie in wrappers; in a file (peft 0.21,
`get_peft_model_state_dict`) neither shows. A head is described as one of `modules_to_save`.
"""

import copy
from collections.abc import Iterable, Iterator
from typing import Any

import peft
from peft.mapping import PEFT_TYPE_TO_TUNER_MAPPING
from peft.utils import ModulesToSaveWrapper
from torch import nn

from bench.models.fused import SplitProjection

ADAPTER = "default"  # the library's name of the only one
PROMPT = "prompt_embeddings"  # of a prompt or prefix, what the library keeps
# What the library wraps for every classifier, whatever is said, by the ends of its modules' names.
ALWAYS_WRAPPED = ("classifier", "score")


def name_in_file(name: str, kind: peft.PeftType) -> str:
    """The name in a file of what is called `name` in an adapted model, whose tuner may have lost its outer wrapper."""
    if name.startswith("prompt_encoder."):
        return PROMPT
    name = name.replace(f".modules_to_save.{ADAPTER}.", ".")
    name = name if name.startswith("base_model.") else f"base_model.{name}"
    tuner: Any = PEFT_TYPE_TO_TUNER_MAPPING[kind]
    name = tuner._remove_adapter_name_from_key(name, ADAPTER)
    return name.removesuffix(".weight") if name.endswith(".lora_magnitude_vector.weight") else name


def in_file(config: peft.PeftConfig, task: peft.TaskType, head: Iterable[str], base: str | None) -> dict[str, Any]:
    """The library's configuration as its file has it, for use and not for training.

    Args:
        config: of the adapted model.
        task: its kind.
        head: paths of the modules that are trained with every method.
        base: where the library's own loader finds the base; None: nobody else has it under that name.
    """
    config = copy.deepcopy(config)
    config.inference_mode, config.task_type, config.base_model_name_or_path = True, task, base
    settings: dict[str, Any] = config.to_dict() | {"modules_to_save": sorted(head) or None}
    if config.peft_type == peft.PeftType.ADALORA:
        settings["rank_pattern"] = None  # what was dropped is zero, and stays in its place
    return {key: _plain(value) for key, value in settings.items()}


def why_not_in_files(model: nn.Module, head: tuple[str, ...]) -> str:
    """Why the library could not put what it reads into a base of transformers' own; "": it can.

    Args:
        model: the pretrained one inside an adapted model.
        head: paths of its head.
    """
    if any(isinstance(module, SplitProjection) for module in model.modules()):
        return "it sits on parts of a fused projection, which transformers' model has as one layer"
    ends = (*head, *(ALWAYS_WRAPPED if head else ()))
    for path in _bare_paths(model):
        if path.endswith(ends) and path not in head and not path.startswith(tuple(f"{own}." for own in head)):
            return f"the library would take {path} for the task head"
    return ""


def _bare_paths(model: nn.Module) -> Iterator[str]:
    """Paths as they are without the library's wrappers of heads."""
    wrapped = tuple(f"{path}." for path, module in model.named_modules() if isinstance(module, ModulesToSaveWrapper))
    return (path for path, _ in model.named_modules() if not path.startswith(wrapped))


def _plain(value: Any) -> Any:
    """What JSON can say; sets in an order, so that the same cell writes the same file."""
    if isinstance(value, set | frozenset):
        return sorted(value)
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return getattr(value, "value", value)
