"""Checks of methods' settings: one wording for the same mistake everywhere."""

from enum import StrEnum
from typing import Any, TypeVar

from bench.configuration.ranges import BELOW_ONE, NOT_NEGATIVE, POSITIVE, Range, check_number
from bench.errors import UnsupportedError, UserError, unknown_name
from bench.methods.base import Setting

T = TypeVar("T", bound=StrEnum)

COUNT = Range(1, 10**9, whole=True)
PART = Range(0, 1, open=True)


def at_least_one(**settings: int) -> None:
    """Refuse counts, ranks and lengths below 1.

    Raises:
        UserError: one is; the message names the setting.
    """
    _check(COUNT, settings)


def above_zero(**settings: float) -> None:
    """Refuse rates, norms and scales that are not positive.

    Raises:
        UserError: one is not.
    """
    _check(POSITIVE, settings)


def not_negative(**settings: float) -> None:
    """Refuse weights of a penalty that are negative.

    Raises:
        UserError: one is.
    """
    _check(NOT_NEGATIVE, settings)


def share(**settings: float) -> None:
    """Refuse shares outside of (0, 1].

    Raises:
        UserError: one is.
    """
    _check(PART, settings)


def below_one(**settings: float) -> None:
    """Refuse dropout rates and parts of a training outside of [0, 1).

    Raises:
        UserError: one is.
    """
    _check(BELOW_ONE, settings)


def _check(allowed: Range, settings: dict[str, Any]) -> None:
    for key, value in settings.items():
        if value is None:
            raise UserError(f"method.{key} must be a number: {allowed}")
        check_number(f"method.{key}", value, allowed)


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


def divisor(number: int, least: int, title: str, setting: Setting) -> int:
    """The so-many-th divisor of the hidden size, from `least` on.

    Raises:
        UserError: it has fewer.
    """
    width = setting.structure.hidden_size
    divisors = [size for size in range(least, width + 1) if width % size == 0]
    if number > len(divisors):
        raise UserError(f"{title} has {len(divisors)} sizes here: the divisors of the hidden size {width}")
    return divisors[number - 1]


def check_head_is_left(title: str, setting: Setting) -> None:
    """Of a method that all has been taken away from, the task head alone is trained.

    Raises:
        UnsupportedError: there is none.
    """
    if not setting.structure.head:
        raise UnsupportedError(f"nothing is left of {title}, and the model has no task head: nothing would be trained")
