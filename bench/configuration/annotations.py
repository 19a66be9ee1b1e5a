"""Whether a setting is what its class says: a field's annotation, read loosely, as YAML can write it."""

import math
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, fields
from enum import Enum
from typing import Any, TypeVar

from bench.errors import UserError, unknown_name

T = TypeVar("T")

LISTS, MAPPINGS = (list, tuple, Sequence), (dict, Mapping)
# Of plain annotations: what fits, and how it is called.
PLAIN: dict[Any, tuple[Callable[[Any], bool], str]] = {
    float: (lambda value: _is_number(value, int | float) and math.isfinite(value), "a finite number"),
    int: (lambda value: _is_number(value, int), "a whole number"),
    bool: (lambda value: isinstance(value, bool), "true or false"),
    str: (lambda value: isinstance(value, str), "text"),
    types.NoneType: (lambda value: value is None, "null"),
}


def filled(target: type[T], settings: Any, prefix: str, owner: str) -> T:
    """Make the dataclass that a mapping describes.

    Raises:
        UserError: no mapping, a key that the class does not have, one that is missing, or a value it refuses.
    """
    if not isinstance(settings, Mapping):
        raise UserError(f"{prefix}={settings} must be a mapping of settings")
    check_settings(target, settings, prefix, owner)
    return target(**settings)


def check_settings(target: type[Any], settings: Mapping[str, Any], prefix: str, owner: str) -> None:
    """Refuse keys that a dataclass does not have, one that it lacks, and values that are not as it is annotated.

    Args:
        target: the dataclass.
        settings: by the fields' names.
        prefix: of the keys on the command line, for the message.
        owner: whose settings they are, for the message.

    Raises:
        UserError: one line, with the key.
    """
    known = {field.name: field for field in fields(target) if field.init}
    for key in settings.keys() - known.keys():
        raise unknown_name(f"setting of {prefix}", str(key), known)
    required = {k for k, f in known.items() if f.default is MISSING and f.default_factory is MISSING}
    for key in sorted(required - settings.keys()):
        raise UserError(f"'{owner}' needs the setting '{key}'")
    check_annotations(target, settings, prefix)


def check_annotations(target: type[Any], settings: Mapping[str, Any], prefix: str) -> None:
    """Refuse values that are not of the kind that the class's fields are annotated with.

    Args:
        target: a dataclass; what it does not annotate, or in a way that is not known here, passes.
        settings: by the fields' names.
        prefix: of the keys on the command line, for the message.

    Raises:
        UserError: one line, with the key.
    """
    try:
        hints = typing.get_type_hints(target)
    except (NameError, TypeError, AttributeError):  # annotations that only a type checker can read
        return
    for key, value in settings.items():
        if key in hints and not fits(value, hints[key]):
            raise UserError(f"{prefix}.{key}={value} must be {_words(hints[key])}")


def fits(value: Any, hint: Any) -> bool:
    """Whether a value may stand where the annotation is: a whole number for a float, a member's value for an enum."""
    kind, arguments = typing.get_origin(hint) or hint, typing.get_args(hint)
    if kind in PLAIN:
        return PLAIN[kind][0](value)
    if kind in (typing.Union, types.UnionType):
        return any(fits(value, one) for one in arguments)
    if kind in LISTS:
        is_list = isinstance(value, Sequence) and not isinstance(value, str)
        return is_list and all(fits(item, one) for item in value for one in arguments[:1])
    if kind in MAPPINGS:
        return isinstance(value, Mapping) and all(fits(item, one) for item in value.values() for one in arguments[1:])
    choices = _choices(hint)
    return not choices or value in choices


def _is_number(value: Any, kind: Any) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


def _choices(hint: Any) -> list[Any]:
    """The values of an enum or a literal; nothing for other annotations."""
    if typing.get_origin(hint) is typing.Literal:
        return list(typing.get_args(hint))
    return [member.value for member in hint] if isinstance(hint, type) and issubclass(hint, Enum) else []


def _words(hint: Any) -> str:
    kind, arguments = typing.get_origin(hint) or hint, typing.get_args(hint)
    if kind in PLAIN:
        return PLAIN[kind][1]
    if kind in (typing.Union, types.UnionType):
        return " or ".join(_words(one) for one in arguments)
    if kind in LISTS + MAPPINGS:
        inner = arguments[:1] if kind in LISTS else arguments[1:]
        return " of ".join(["a list" if kind in LISTS else "a mapping", *(_words(one) for one in inner)])
    return " or ".join(str(choice) for choice in _choices(hint)) or str(hint)
