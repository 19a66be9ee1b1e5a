"""Which values a setting of the library's may have: it checks few of them, and takes "maybe" for yes."""

import dataclasses
import re
from collections.abc import Iterator
from enum import Enum
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import peft

from bench.configuration.ranges import LARGEST
from bench.errors import UserError, unknown_name

# Sizes and scales, by the ends of their names: at 0 nothing is trained, below it is nonsense.
ABOVE_ZERO = (
    "r", "alpha", "rank", "num_virtual_tokens", "n_frequency", "num_vectors", "topk", "vector_length", "adapter_len",
    "adapter_layers", "group_size", "scaling", "deltaT",
)  # fmt: skip
# Names of modules: a list of ends, or one regular expression for the whole path.
NAMES = ("exclude_modules", "layers_pattern", "target_modules")
LISTS = ("feedforward_modules", "modules_to_save", "target_parameters", "token_indices")
# A word that ends in any number of iterations.
OPEN_ENDED = "pissa_niter_"


def check_numbers(config_class: type[peft.PeftConfig], settings: dict[str, Any]) -> None:
    """Refuse numbers that cannot be; whatever the model, so that a preview does it too.

    Raises:
        UserError: one is; the message names the setting.
    """
    for key, value, kinds in _given(config_class, settings):
        if kinds and kinds <= {int, float}:
            _check_number(key, value, whole=kinds == {int} and not key.endswith("alpha"))


def check_words(config_class: type[peft.PeftConfig], settings: dict[str, Any]) -> None:
    """Refuse what is no number and of another kind than the library's annotation.

    Raises:
        UserError: one is; the message names the setting.
    """
    for key, value, kinds in _given(config_class, settings):
        if kinds == {bool} and not isinstance(value, bool):
            raise UserError(f"peft.{key}={value} must be true or false")
        _check_word(key, value, kinds)
        _check_names(key, value)
        for kind in kinds:
            if dataclasses.is_dataclass(kind) and isinstance(value, dict):
                known = [field.name for field in dataclasses.fields(kind)]
                if unknown := sorted(value.keys() - set(known)):
                    raise unknown_name(f"key of peft.{key}", unknown[0], known)


def _given(config_class: type[peft.PeftConfig], settings: dict[str, Any]) -> Iterator[tuple[str, Any, set[Any]]]:
    """Each setting that is given, with the kinds that the library's annotation allows."""
    hints = get_type_hints(config_class)
    for key, value in settings.items():
        if value is not None:
            yield key, value, kinds_of(hints[key]) - {NoneType}


def _check_number(key: str, value: object, whole: bool) -> None:
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
        raise UserError(f"peft.{key}={value} must be a {'whole number' if whole else 'number'}")
    assert isinstance(value, int | float)
    if not abs(value) <= LARGEST:  # nor is not a number
        raise UserError(f"peft.{key}={value} must be a finite number, as float32 has them")
    if "dropout" in key and not 0 <= value < 1:
        raise UserError(f"peft.{key}={value} must be at least 0 and below 1")
    if any(key == name or key.endswith(f"_{name}") for name in ABOVE_ZERO) and value <= 0:
        raise UserError(f"peft.{key}={value} must be greater than 0")


def _check_word(key: str, value: object, kinds: set[Any]) -> None:
    """One of the annotation's words, where it lists them."""
    words = [word for kind in kinds if get_origin(kind) is Literal for word in get_args(kind)]
    words += [str(word.value) for kind in kinds if isinstance(kind, type) and issubclass(kind, Enum) for word in kind]
    may_be_bool = bool in kinds and isinstance(value, bool)
    if words and not (may_be_bool or value in words or str(value).startswith(OPEN_ENDED)):
        known = [*(["true", "false"] if bool in kinds else []), *(word for word in words if "[" not in word)]
        raise UserError(f"peft.{key}={value} must be one of {', '.join(known)}")


def _check_names(key: str, value: object) -> None:
    """What names places is what the library goes through entry by entry; a word it would go through by letters."""
    if key in LISTS and not isinstance(value, list):
        raise UserError(f"peft.{key}={value} must be a list: peft.{key}=[{value}]")
    if key in NAMES and isinstance(value, str):
        try:
            re.compile(value)
        except re.error as error:
            raise UserError(f"peft.{key}={value} is no regular expression: {error}") from error
    is_pattern = key.endswith("_pattern") and key not in NAMES
    if is_pattern and not (isinstance(value, dict) and all(_is_number(number) for number in value.values())):
        raise UserError(f"peft.{key}={value} must map names to numbers: peft.{key}={{query: 4}}")
    if key == "layers_to_transform" and not all(
        isinstance(index, int) and not isinstance(index, bool)
        for index in (value if isinstance(value, list) else [value])
    ):
        raise UserError(f"peft.{key}={value} must be a layer's number or a list of them, counted from 0")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= LARGEST


def kinds_of(hint: Any) -> set[Any]:
    """The classes that an annotation allows; a Literal counts as itself."""
    if get_origin(hint) in (Union, UnionType):
        return {kind for part in get_args(hint) for kind in kinds_of(part)}
    return {hint}
