"""Checks of methods' settings: one wording for the same mistake everywhere."""

from enum import StrEnum
from typing import TypeVar

from bench.errors import UserError, unknown_name
from bench.methods.base import Setting

T = TypeVar("T", bound=StrEnum)


def at_least_one(**settings: int) -> None:
    """Refuse counts, ranks and lengths below 1.

    Raises:
        UserError: one is; the message names the setting.
    """
    for key, value in settings.items():
        if value < 1:
            raise UserError(f"method.{key}={value} must be 1 or more")


def above_zero(**settings: float) -> None:
    """Refuse rates and norms that are not positive.

    Raises:
        UserError: one is not.
    """
    for key, value in settings.items():
        if not value > 0:
            raise UserError(f"method.{key}={value} must be greater than 0")


def share(**settings: float) -> None:
    """Refuse shares outside of (0, 1].

    Raises:
        UserError: one is.
    """
    for key, value in settings.items():
        if not 0 < value <= 1:
            raise UserError(f"method.{key}={value} must be above 0 and at most 1")


def below_one(**settings: float) -> None:
    """Refuse dropout rates and parts of a training outside of [0, 1).

    Raises:
        UserError: one is.
    """
    for key, value in settings.items():
        if not 0 <= value < 1:
            raise UserError(f"method.{key}={value} must be at least 0 and below 1")


def one_of(choices: type[T], **settings: str) -> T:
    """The member of `choices` that a setting names.

    Raises:
        UserError: none is called so.
    """
    ((key, value),) = settings.items()
    if value not in list(choices):
        raise unknown_name(f"method.{key}", value, list(choices))
    return choices(value)


def within_hidden_size(setting: Setting, **settings: int) -> None:
    """Refuse a rank or bottleneck above the hidden size: it would no longer be low.

    Raises:
        UserError: one is.
    """
    for key, value in settings.items():
        if value > setting.structure.hidden_size:
            raise UserError(f"method.{key}={value} exceeds the hidden size {setting.structure.hidden_size}")
