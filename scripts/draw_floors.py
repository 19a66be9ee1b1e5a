"""Draws the floors of the house: `python -m scripts.draw_floors`, which docs/architecture.md shows.

Nothing is drawn by hand: the floors are the layers that `make lint` holds the imports against (pyproject.toml), and a
folder is described by the first line of its own docstring.
"""

import ast
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
COMMAND = "python -m scripts.draw_floors"


def floors() -> list[list[str]]:
    """Folders and files of `bench` from the top floor down; those on one floor know nothing of each other."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    layers = settings["tool"]["importlinter"]["contracts"][0]["layers"]
    return [layer.split(" | ") for layer in layers]


def subject(name: str) -> str:
    """The first sentence of what a folder says of itself."""
    path = ROOT / "bench" / name
    source = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    text = ast.get_docstring(ast.parse(source.read_text())) or ""
    return text.partition("\n\n")[0].replace("\n", " ")


def drawing() -> str:
    """One line for each folder, the top floor first; a line between two floors."""
    width = max(len(name) for floor in floors() for name in floor)
    blocks = ["\n".join(f"{name:<{width}}  {subject(name)}" for name in floor) for floor in floors()]
    return f"\n{'·' * width}\n".join(blocks) + "\n"


if __name__ == "__main__":
    sys.stdout.write(drawing())
