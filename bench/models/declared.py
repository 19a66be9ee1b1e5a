"""A user's own entry: `model.structure`, the form of `bench.models.roles` as plain data. Free of torch."""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields
from enum import StrEnum
from typing import Any

from bench.configuration.schema import Family
from bench.errors import UserError, unknown_name
from bench.models.roles import AttentionRoles, Entry, ExpertRoles, FeedForwardRoles, FusedOrder, Stack

KEY, DISCOVER = "model.structure", "discover"
NUMBER = "{}"  # in the path of blocks
OF_ENTRY = ("stacks", "has_positions", "transposed")  # the rest is the built-in entries' own
OF_STACK = ("name", "blocks", "attentions", "feed_forward", "norms", "experts")
STACKS = {
    Family.encoder: ("encoder",), Family.decoder: ("decoder",), Family.encoder_decoder: ("encoder", "decoder"),
}  # fmt: skip


def entry_of(given: Any, family: Family) -> Entry:
    """Read an entry.

    Args:
        given: a mapping: `stacks`, and where need be `has_positions` and `transposed`, see `bench.models.roles`.
        family: of the model.

    Raises:
        UserError: a key that no role has, one that is missing, or a value of another kind; one line.
    """
    if isinstance(given, str):
        raise unknown_name(f"value of {KEY}", given, (DISCOVER, "a mapping with the key stacks"))
    values = _read(given, Entry, KEY, {"stacks": _list_of(_stack)}, only=OF_ENTRY)
    stacks: tuple[Stack, ...] = values.pop("stacks")
    names = tuple(stack.name for stack in stacks)
    if names != STACKS[family]:
        wanted = " and ".join(STACKS[family])
        raise UserError(f"{KEY}.stacks: a model of family {family} has {wanted}, not {' and '.join(names) or 'none'}")
    return Entry(KEY, family, (), stacks, **values)


def check_written(given: Any, family: str) -> None:
    """Refuse a `model.structure` that no model can have; "discover" and None pass.

    Raises:
        UserError: see `entry_of`.
    """
    if given is not None and given != DISCOVER:
        entry_of(given, Family(family))


def as_mapping(entry: Entry) -> dict[str, Any]:
    """An entry as `entry_of` reads it; what is as usual is left out."""
    return {
        **{name: getattr(entry, name) for name in OF_ENTRY[1:] if getattr(entry, name) != _default(Entry, name)},
        "stacks": [_written(stack) for stack in entry.stacks],
    }


def _stack(given: Any, where: str) -> Stack:
    read = {
        "attentions": _list_of(_attention), "feed_forward": _feed_forward, "norms": _names, "experts": _experts,
    }  # fmt: skip
    values = _read(given, Stack, where, read, only=OF_STACK, optional=("feed_forward", "norms"))
    if NUMBER not in values["blocks"]:
        raise UserError(f"{where}.blocks={values['blocks']} stands for one layer; write {NUMBER} for its number")
    if not values["attentions"]:
        raise UserError(f"{where}.attentions is empty")
    # Without a list of them, whichever norms the blocks have are theirs.
    return Stack(**({"feed_forward": None, "norms": (), "any_norms": "norms" not in values} | values))


def _attention(given: Any, where: str) -> AttentionRoles:
    roles = AttentionRoles(**_read(given, AttentionRoles, where, {"order": _order}))
    parts = (roles.query, roles.key, roles.value)
    if roles.fused is None and None in parts:
        raise UserError(f"{where} needs query, key and value, or fused where one layer gives all three")
    if roles.fused is not None and parts != (None, None, None):
        raise UserError(f"{where} has fused beside query, key or value; one of the two")
    return roles


def _feed_forward(given: Any, where: str) -> FeedForwardRoles | None:
    if given is None:
        return None
    values = _read(given, FeedForwardRoles, where, {"inputs": _names})
    if not values["inputs"]:
        raise UserError(f"{where}.inputs is empty")
    return FeedForwardRoles(**(values | {"inputs": (values["inputs"],)}))


def _experts(given: Any, where: str) -> ExpertRoles | None:
    return None if given is None else ExpertRoles(**_read(given, ExpertRoles, where))


def _names(given: Any, where: str) -> tuple[str, ...]:
    return _list_of(_name)(given, where)


def _name(given: Any, where: str) -> str:
    if not isinstance(given, str):
        raise UserError(f"{where}={given} must be the path of a module")
    return given


def _order(given: Any, where: str) -> Any:
    return None if given is None else _member(FusedOrder)(given, where)


def _member(of: type[StrEnum]) -> Callable[[Any, str], StrEnum]:
    def one(given: Any, where: str) -> StrEnum:
        if str(given) not in of.__members__:
            raise unknown_name(where, str(given), of.__members__)
        return of.__members__[str(given)]

    return one


def _list_of(read: Callable[[Any, str], Any]) -> Callable[[Any, str], tuple[Any, ...]]:
    def several(given: Any, where: str) -> tuple[Any, ...]:
        if not isinstance(given, list | tuple):
            raise UserError(f"{where} must be a list")
        return tuple(read(item, f"{where}[{number}]") for number, item in enumerate(given))

    return several


def _read(
    given: Any,
    form: type[Any],
    where: str,
    read: Mapping[str, Callable[[Any, str], Any]] | None = None,
    *,
    only: tuple[str, ...] | None = None,
    optional: tuple[str, ...] = (),
) -> dict[str, Any]:
    """The values of a dataclass of `bench.models.roles`: read by functions of their own, or by their kind."""
    if not isinstance(given, Mapping):
        raise UserError(f"{where} must be a mapping")
    known: dict[str, Field[Any]] = {one.name: one for one in fields(form) if only is None or one.name in only}
    for key in given:
        if key not in known:
            raise unknown_name(f"key of {where}", str(key), known)
    for name, one in known.items():
        if one.default is MISSING and name not in given and name not in optional:
            raise UserError(f"{where} needs {name}")
    values = {}
    for key, value in given.items():
        if read is not None and key in read:
            values[key] = read[key](value, f"{where}.{key}")
        elif isinstance(kind := known[key].type, type) and issubclass(kind, StrEnum):
            values[key] = _member(kind)(value, f"{where}.{key}")
        elif kind is bool:
            if not isinstance(value, bool):
                raise UserError(f"{where}.{key}={value} must be true or false")
            values[key] = value
        elif value is not None or known[key].default is not None:
            values[key] = _name(value, f"{where}.{key}")
    return values


def _written(roles: Any) -> Any:
    if isinstance(roles, StrEnum):
        return roles.name
    if isinstance(roles, tuple):
        return [_written(item) for item in roles]
    if not isinstance(roles, Stack | AttentionRoles | FeedForwardRoles | ExpertRoles):
        return roles
    own = {one.name: getattr(roles, one.name) for one in fields(roles)}
    own.pop("any_norms", None)
    if isinstance(roles, FeedForwardRoles):
        own["inputs"] = roles.inputs[0]
    return {name: _written(value) for name, value in own.items() if value != _default(type(roles), name)}


def _default(form: type[Any], name: str) -> Any:
    return next(one.default for one in fields(form) if one.name == name)
