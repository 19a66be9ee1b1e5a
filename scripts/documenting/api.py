"""The page of the Python interface: what `bench` exports, by mkdocstrings."""

from types import ModuleType

import bench
from scripts.documenting.markdown import page

FRAMES = "bench.api.frames"  # where the function is that is called by the name of the package bench.records
OPENING = (
    "What `bench.__all__` names, with its docstrings; [from Python](../python.md) says how it is used. `import bench` "
    "imports no torch: what is below is imported when it is asked for.\n"
)


def api() -> str:
    """Each public name with its docstring."""
    return page("Python", "the docstrings of `bench`", OPENING, *map(_entry, bench.__all__))


def _entry(name: str) -> str:
    found = getattr(bench, name)
    home = FRAMES if isinstance(found, ModuleType) else found.__module__
    return f"::: {home}.{name}\n    options:\n      heading: bench.{name}\n      toc_label: {name}\n"
