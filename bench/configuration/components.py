"""Components of a method: named switches, and the settings of the method that hold when one is off.

A method's YAML declares them, `docs/ablations.md` says how. `method.without=[masks]` puts a component's neutral values
in the place of the method's own; the same settings given one by one are the same cell.
"""

import copy
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from bench.configuration.schema import Family
from bench.errors import UserError, unknown_name

DECLARED, WITHOUT = "components", "without"  # keys of a method's configuration
OF_SETTINGS = "what the settings mean"  # the origin of states
NAME = re.compile(r"[a-z][a-z0-9_]*")

FAMILIES = frozenset(map(str, Family))

Path = tuple[str, ...]


class State(StrEnum):
    """What became of a component in a cell."""

    on = "on"
    off = "off"
    moot = "moot"  # it is a part of another, which is off


@dataclass(frozen=True)
class Component:
    """One switch.

    Attributes:
        off: by the path of a setting, the value that it has when the component is off.
        drop: by the path of a list, or of lists by family, what is taken out of them when it is off.
        within: the component that it is a part of; empty: of none.
    """

    off: dict[Path, Any] = field(default_factory=dict)
    drop: dict[Path, list[Any]] = field(default_factory=dict)
    within: str = ""

    @property
    def touches(self) -> set[Path]:
        """The settings that it changes."""
        return {*self.off, *self.drop}

    def switch_off(self, method: dict[str, Any]) -> None:
        """Put the neutral values into a method's configuration."""
        for path, value in self.off.items():
            parent = _parent(method, path)
            # Absent and null are the same, and what need not be there makes no other cell.
            if parent is not None and (value is not None or path[-1] in parent):
                parent[path[-1]] = copy.deepcopy(value)
        for path, items in self.drop.items():
            parent = _parent(method, path)
            if parent is not None and path[-1] in parent:
                parent[path[-1]] = _without(parent[path[-1]], items)

    def is_off(self, method: Mapping[str, Any], family: str) -> bool:
        """Whether a method's settings are the neutral ones, on a model of this family."""
        for path, value in self.off.items():
            if path[-1] in FAMILIES and path[-1] != family:
                continue
            if _at(method, path) != value:
                return False
        for path, items in self.drop.items():
            found = _at(method, path)
            here = found.get(family) if isinstance(found, Mapping) else found
            if isinstance(here, list) and any(item in here for item in items):
                return False
        return True


def settle_components(method: dict[str, Any], family: str) -> dict[str, str]:
    """Switch off what `without` names, and leave the state of every component in place of its declaration.

    Args:
        method: its resolved configuration, which is changed; without declarations and `without` it stays as it is.
        family: the model's.

    Returns:
        Where what was put in came from, by the cell's keys.

    Raises:
        UserError: a declaration that is none, or a component that is not declared.
    """
    for part in _parts(method):
        part.pop(DECLARED, None)
    declared = declarations(method)
    named = _named(method.pop(WITHOUT, None))
    method.pop(DECLARED, None)
    for name in named:
        if not declared:
            raise UserError(f"method.without={name}: '{method.get('name')}' declares no components")
        if name not in declared:
            raise unknown_name(f"component of {method.get('name')}", name, declared)
    # Outer ones last: they may take away what the inner ones are settings of.
    for name in sorted(named, key=lambda name: -_depth(declared, name)):
        declared[name].switch_off(method)
    origins = {
        _key(leaf): f"method.{WITHOUT}={name}"
        for name in named
        for path in declared[name].touches
        for leaf, _ in _leaves({path: _at(method, path)})
    }
    if declared:
        method[DECLARED] = _states(declared, method, family)
        origins[f"method.{DECLARED}"] = OF_SETTINGS
    return origins


def declarations(method: Mapping[str, Any]) -> dict[str, Component]:
    """The components that a method's configuration declares, by name.

    Raises:
        UserError: they are no declarations.
    """
    given, owner = method.get(DECLARED) or {}, f"components of '{method.get('name')}'"
    if not isinstance(given, Mapping):
        raise UserError(f"{owner} must be a mapping of names to {{off: {{setting: value}}}}")
    found = {str(name): _component(str(name), said, owner) for name, said in given.items()}
    for name, one in found.items():
        if one.within and one.within not in found:
            raise unknown_name(f"component of {method.get('name')}", one.within, set(found) - {name})
        if name in (outer := _outer(found, name)):
            raise UserError(f"{owner}: {name} is within itself")
        for other, second in found.items():
            both = one.off.keys() & second.off.keys()
            if both and name < other and other not in outer and name not in _outer(found, other):
                key = ".".join(sorted(both)[0])
                raise UserError(f"{owner}: {name} and {other} both set {key}; put one `within` the other")
    return found


def touched_keys(method: Mapping[str, Any]) -> frozenset[str]:
    """The settings that a method's components change, as keys of a cell's configuration."""
    found = declarations(method).values()
    return frozenset(_key(path) for one in found for path in one.touches)


def _key(path: Path) -> str:
    return ".".join(("method", *path))


def _component(name: str, said: Any, owner: str) -> Component:
    # YAML 1.1 reads the word `off` as false.
    given = {"off" if key is False else key: value for key, value in said.items()} if isinstance(said, Mapping) else {}
    off, drop, within = given.get("off") or {}, given.get("drop") or {}, given.get("within") or ""
    is_sound = isinstance(off, Mapping) and isinstance(drop, Mapping) and isinstance(within, str) and (off or drop)
    if not NAME.fullmatch(name) or not is_sound or set(given) - {"off", "drop", "within"}:
        raise UserError(
            f"{owner}: {name} must be a name in small letters with the settings that hold when it is off, "
            f"{{off: {{setting: value}}}} or {{drop: {{setting: [items]}}}}"
        )
    dropped = dict(_leaves(drop))
    if not all(isinstance(items, list) for items in dropped.values()):
        raise UserError(f"{owner}: {name}: drop takes items out of lists, {{drop: {{setting: [items]}}}}")
    return Component(dict(_leaves(off)), dropped, within)


def _states(declared: Mapping[str, Component], method: Mapping[str, Any], family: str) -> dict[str, str]:
    off = {name for name, one in declared.items() if one.is_off(method, family)}

    def state(name: str) -> State:
        if off & set(_outer(declared, name)):
            return State.moot
        return State.off if name in off else State.on

    return {name: str(state(name)) for name in declared}


def _outer(declared: Mapping[str, Component], name: str) -> list[str]:
    """The components that one is within, from the nearest on; itself is the last where they go in a circle."""
    found: list[str] = []
    inner = declared[name].within
    while inner and inner not in found:
        found.append(inner)
        inner = declared[inner].within if inner in declared else ""
    return found


def _depth(declared: Mapping[str, Component], name: str) -> int:
    return len(_outer(declared, name))


def _named(without: Any) -> list[str]:
    if without is None or isinstance(without, str):
        return [] if not without else [without]
    if not isinstance(without, list) or not all(isinstance(name, str) for name in without):
        raise UserError(f"method.without={without} must name components: method.without=masks or [masks,sharing]")
    return list(dict.fromkeys(without))


def _parts(method: Mapping[str, Any]) -> list[dict[str, Any]]:
    parts = method.get("parts")
    found = parts.values() if isinstance(parts, dict) else parts if isinstance(parts, list) else ()
    return [part for part in found if isinstance(part, dict)]


def _leaves(tree: Mapping[Any, Any], path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Paths and values; a key is one name, or a path by itself."""
    for key, value in tree.items():
        below = (*path, *key) if isinstance(key, tuple) else (*path, str(key))
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, below)
        else:
            yield below, value


def _at(tree: Any, path: Path) -> Any:
    for key in path:
        if not isinstance(tree, Mapping) or key not in tree:
            return None
        tree = tree[key]
    return tree


def _parent(tree: dict[str, Any], path: Path) -> dict[str, Any] | None:
    """The mapping that the last key of a path lies in; None where there is none, as what it is a part of is gone."""
    found = _at(tree, path[:-1])
    return found if isinstance(found, dict) else None


def _without(value: Any, items: list[Any]) -> Any:
    if isinstance(value, dict):
        return {key: _without(inner, items) for key, inner in value.items()}
    return [item for item in value if item not in items] if isinstance(value, list) else value
