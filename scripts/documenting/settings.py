"""The page of a cell's settings, from the schema: key, type, default, what it may be, and what it means."""

import ast
import inspect
from collections.abc import Iterator
from dataclasses import MISSING, Field, fields
from enum import Enum
from typing import Any, get_args

from omegaconf import MISSING as MANDATORY

from bench.configuration.experiment import word
from bench.configuration.ranges import CHOICES, RANGES
from bench.configuration.schema import SECTIONS, CellConfig, ExperimentConfig
from scripts.documenting.markdown import code, page, table
from scripts.documenting.meanings import comments

ALL = {"": CellConfig, **SECTIONS, "experiment": ExperimentConfig}
HEADER = ["setting", "type", "default", "may be", "meaning"]
OPENING = (
    "A cell is what `bench run` composes; every command that composes cells takes these keys. "
    "`bench show` prints a cell's values, each with its origin: many defaults below are replaced by the files of the "
    "model, the task, the method and the training. What a task or a method takes is its class's: [tasks](tasks.md), "
    "[methods](methods.md).\n"
)


def settings() -> str:
    """The whole page."""
    sections = [f"## {_title(name)}\n\n{_section(name, kind)}" for name, kind in ALL.items()]
    return page("Settings of a cell", "`bench/configuration/schema.py`", OPENING, *sections, _choices())


def _title(section: str) -> str:
    return f"{section}.…" if section else "Of no section"


def _section(section: str, kind: type[Any]) -> str:
    said, types = comments(kind), _annotations(kind)
    rows = []
    for field in fields(kind):
        key = f"{section}.{field.name}" if section else field.name
        if section or field.name not in SECTIONS:
            rows.append([code(key), code(types[field.name]), _default(field), _may_be(key), said[field.name]])
    return table(HEADER, rows)


def _annotations(kind: type[Any]) -> dict[str, str]:
    """As they stand in the source: names of enums, and not their modules."""
    (tree,) = ast.parse(inspect.getsource(kind)).body
    assert isinstance(tree, ast.ClassDef)
    return {ast.unparse(n.target): ast.unparse(n.annotation) for n in tree.body if isinstance(n, ast.AnnAssign)}


def _default(field: "Field[Any]") -> str:
    if field.default is MISSING:
        made = field.default_factory() if field.default_factory is not MISSING else None
        return code(made) if isinstance(made, dict | list) else "that of its keys"
    if field.default == MANDATORY:
        return "has to be said"
    return code(word(field.default.value if isinstance(field.default, Enum) else field.default) or '""')


def _may_be(key: str) -> str:
    return str(RANGES[key]) if key in RANGES else ", ".join(map(code, CHOICES.get(key, ())))


def _choices() -> str:
    """The enums of the schema: every choice with its meaning."""
    kinds = {kind.__name__: kind for kind in _enums()}
    parts = []
    for name, kind in kinds.items():
        said = comments(kind)
        rows = [[code(member.value), said[member.name]] for member in kind]
        rows = rows if any(text for _, text in rows) else [[value] for value, _ in rows]
        parts.append(f"### {name}\n\n{inspect.getdoc(kind)}\n\n{table(['choice', 'meaning'][: len(rows[0])], rows)}")
    return "\n".join(["## Choices\n", *parts])


def _enums() -> Iterator[type[Enum]]:
    for kind in SECTIONS.values():
        for field in fields(kind):
            for one in (field.type, *get_args(field.type)):
                if isinstance(one, type) and issubclass(one, Enum):
                    yield one
