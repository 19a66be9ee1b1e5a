"""Plain data against a dataclass: every value is of the type that its field is annotated with.

Python checks no annotations, and data from a file may hold anything: what reads a record rests on this.
"""

from collections.abc import Callable, Iterable
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")

Test = Callable[[Any], bool]
LARGEST = 2**63  # what columns of whole numbers hold
SHOWN = 40  # characters of a wrong value


Types = tuple[Any, ...]  # a dataclass, the names that a mapping has, and the types of their values


@dataclass(frozen=True)
class Fitting:
    """What is left to look at in values whose names and types fit a dataclass.

    Attributes:
        numbers: the names of those that are numbers.
        containers: of those that hold others, the name and a test.
    """

    numbers: tuple[str, ...]
    containers: tuple[tuple[str, Test], ...]


_fitting: dict[Types, Fitting] = {}  # most records have the same few


def mapping(data: Any, where: str) -> dict[str, Any]:
    """`data`, if it is a mapping; raises ValueError."""
    if data.__class__ is not dict:
        raise ValueError(f"{where} is {_shown(data)}, no mapping")
    known: dict[str, Any] = data
    return known


def made(kind: type[T], data: Any, where: str, least: float = -LARGEST) -> T:
    """The dataclass `kind` with the values of a mapping.

    Args:
        kind: the class.
        data: its values by name.
        where: what they are a part of, for messages.
        least: the smallest number that a field may have.

    Raises:
        ValueError: no mapping, a key that is missing or unknown, or a value of another type.
    """
    given = data if data.__class__ is dict else mapping(data, where)
    types = (kind, *given, *map(type, given.values()))
    found = _fitting.get(types)
    if found is None:
        _check_names(kind, given, where)
        _check_types(kind, given, given, where)
        found = _fitting[types] = _what_is_left(kind, given)
    for name, test in found.containers:
        if not test(given[name]):
            _check_types(kind, given, [name], where)
    for name in found.numbers:
        if not least <= given[name] < LARGEST:
            raise ValueError(f"{where}.{name}={given[name]} is out of its range")
    return kind(**given)


def _check_names(kind: type[Any], given: dict[str, Any], where: str) -> None:
    every = fields(kind)
    if unknown := given.keys() - {one.name for one in every}:
        raise ValueError(f"{where} has the unknown key {_shown(min(unknown))}")
    needed = (one.name for one in every if one.default is MISSING and one.default_factory is MISSING)
    if missing := set(needed) - given.keys():
        raise ValueError(f"{where}.{min(missing)} is missing")


def _check_types(kind: type[Any], given: dict[str, Any], names: Iterable[str], where: str) -> None:
    hints = _hints(kind)
    for name in names:
        if not _test(hints[name])(given[name]):
            raise ValueError(f"{where}.{name} is {_shown(given[name])}, no {_words(hints[name])}")


def _what_is_left(kind: type[Any], given: dict[str, Any]) -> Fitting:
    hints = _hints(kind)
    numbers = tuple(name for name, value in given.items() if type(value) in (int, float))
    return Fitting(numbers, tuple((name, _test(hints[name])) for name in given if _holds_others(hints[name])))


def _hints(kind: type[Any]) -> dict[str, Any]:
    return get_type_hints(kind)


def _holds_others(annotation: Any) -> bool:
    """Whether a value's own type does not say all."""
    arguments = get_args(annotation)
    if get_origin(annotation) in (Union, UnionType):
        return any(map(_holds_others, arguments))
    return bool(arguments) and arguments[-1] is not Any


@cache
def _test(annotation: Any) -> Test:
    """Whether a value is of the annotated type."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        tests = [_test(argument) for argument in arguments]
        return lambda value: any(test(value) for test in tests)
    if origin in (list, dict):
        return _test_of_items(origin, arguments[-1])  # keys are text in JSON
    if annotation is Any:
        return lambda value: True
    kinds = {int: (int,), float: (int, float, NoneType)}.get(annotation)  # a score that is no number is null
    if kinds is not None:
        return lambda value: type(value) in kinds  # True is an int to Python
    return lambda value: isinstance(value, annotation)


def _test_of_items(kind: type[Any], annotation: Any) -> Test:
    if annotation is Any:
        return lambda value: type(value) is kind
    item = _test(annotation)
    if kind is dict:
        return lambda value: type(value) is dict and all(map(item, value.values()))
    return lambda value: type(value) is list and all(map(item, value))


def _words(annotation: Any) -> str:
    """What a value has to be, as a reader says it."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        return " or ".join(_words(argument) for argument in arguments if argument is not NoneType)
    if origin in (list, dict):
        items = "" if arguments[-1] is Any else f" of {_words(arguments[-1])}s"
        return f"{'list' if origin is list else 'mapping'}{items}"
    plain = {int: "whole number", float: "number", str: "text", bool: "true or false"}
    return plain.get(annotation, "mapping" if is_dataclass(annotation) else str(annotation))


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
