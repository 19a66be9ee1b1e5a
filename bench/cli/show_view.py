"""A composed cell with the origin of each of its values: as text, YAML or JSON."""

import json
from collections.abc import Iterator
from typing import Any

import yaml

from bench.configuration.cell import Cell
from bench.configuration.origins import leaves

FORMATS = ("text", "yaml", "json")


def shown(cell: Cell, form: str, found: dict[str, Any] | None = None) -> str:
    """The cell in one of `FORMATS`.

    text: a line for each value: key, value, origin. yaml: the configuration, each origin as a comment. json: `cell`
    (its id), `config`, `origins` (by key from the root) and `warnings`. What `model.structure=discover` found stands at
    the end: as lines of YAML, as comments, as `structure`. What a method declares for tuning stands in it too.
    """
    config = _with_search(cell)
    origins = {} if cell.origins is None else cell.origins.of_all(config)
    notes = [cell.inherited] if cell.inherited else []
    if form == "json":
        content = {"cell": cell.id, "config": config, "origins": origins, "warnings": notes}
        content |= {"structure": found} if found else {}
        return json.dumps(content, indent=1, ensure_ascii=False)
    entry = _found(found)
    if form == "yaml":
        lines = [f"# {cell.id}", *(f"# {note}" for note in notes), *_yaml(config, origins)]
        lines += [f"# {line}" for line in entry]
        return "\n".join(lines)
    rows = [(key, _plain(value)) for key, value in leaves(config)]
    keys, values = max(len(key) for key, _ in rows), min(44, max(len(value) for _, value in rows))
    lines = [f"{key:{keys}}  {value:{values}}  {origins.get(key, '')}".rstrip() for key, value in rows]
    return "\n".join([cell.id, "", *lines, *(f"\n{note}" for note in notes), *(["", *entry] if entry else [])])


def _with_search(cell: Cell) -> dict[str, Any]:
    """The configuration, and in the method what it declares for tuning, which is no part of the cell."""
    if not cell.search:
        return cell.config
    return cell.config | {"method": cell.config["method"] | {"search": cell.search}}


def _found(found: dict[str, Any] | None) -> list[str]:
    """Lines to be pasted into a model's YAML."""
    if found is None:
        return []
    from bench.models.found import pasteable

    return ["# found by model.structure=discover; paste it into a model's YAML", *pasteable(found["entry"]).split("\n")]


def _yaml(config: dict[str, Any], origins: dict[str, str], path: str = "", depth: int = 0) -> Iterator[str]:
    for name, value in config.items():
        key, indent = f"{path}{name}", "  " * depth
        if isinstance(value, dict) and value:
            yield f"{indent}{_plain(name)}:"
            yield from _yaml(value, origins, f"{key}.", depth + 1)
        else:
            yield f"{indent}{_plain(name)}: {_plain(value)} # {origins.get(key, '')}".rstrip()


def _plain(value: Any) -> str:
    """A value in one line of YAML."""
    text: str = yaml.safe_dump(value, default_flow_style=True, width=10**9, allow_unicode=True)
    return text.removesuffix("\n").removesuffix("\n...")
