"""Pieces of Markdown that the generated pages are made of."""

from collections.abc import Iterable, Sequence
from typing import Any

GENERATED = "Made from {source} when this site is built.\n"


def table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A table; nothing may look like the end of a cell or of a row."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cell(item) for item in line) + " |" for line in lines) + "\n"


def cell(value: Any) -> str:
    """A value as one cell of a table."""
    return " ".join(str(value).replace("|", "\\|").split())


def code(value: Any) -> str:
    """A value as code."""
    return f"`{value}`"


def page(title: str, source: str, *sections: str) -> str:
    """A page, with what it is made from below its title."""
    return "\n".join([f"# {title}\n", GENERATED.format(source=source), *sections])


def config_link(path: str) -> str:
    """A link from a page in `reference/` to a file below `configs/`, which the site shows as a page of its own."""
    return f"[`configs/{path}`](../../configs/{path})"
