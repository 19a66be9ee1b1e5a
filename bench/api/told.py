"""How Python is told of a mistake: a UserError of one line."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from bench.errors import UserError
from bench.system.terminal import forget_warnings

P = ParamSpec("P")
T = TypeVar("T")


def in_one_line(function: Callable[P, T]) -> Callable[P, T]:
    """The same function, each call a command of its own: what was warned of is said again, and mistakes in one line."""

    @wraps(function)
    def told(*arguments: P.args, **options: P.kwargs) -> T:
        forget_warnings()
        try:
            return function(*arguments, **options)
        except UserError as error:
            line = " ".join(str(error).split())
            if line == str(error):
                raise
            raise type(error)(line) from error

    return told
