"""A benchmark of parameter-efficient fine-tuning: configs → cell → runner → record → tables → findings.

What stands in `__all__` is public: docs/python.md documents it, and from 1.0 on it changes by semantic versioning.
"""

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from bench.errors import UserError

if TYPE_CHECKING:
    from bench.api.cells import RunnableCell, cell
    from bench.api.frames import records, table
    from bench.api.sweeps import Sweep, sweep
    from bench.running.trained import load

__version__ = "0.1.0"
__all__ = ["RunnableCell", "Sweep", "UserError", "cell", "load", "records", "sweep", "table"]

# Where each is; imported when it is asked for: `import bench` imports neither torch nor pandas.
HOMES = {
    "RunnableCell": "bench.api.cells",
    "Sweep": "bench.api.sweeps",
    "cell": "bench.api.cells",
    "load": "bench.running.trained",
    "sweep": "bench.api.sweeps",
    "table": "bench.api.frames",
}


def __getattr__(name: str) -> Any:
    """What is public, imported now."""
    if name in HOMES:
        return getattr(import_module(HOMES[name]), name)
    raise AttributeError(f"module 'bench' has no attribute {name!r}")


class _Records(ModuleType):
    """The package of that name, which Python puts where users look for the function: calling it is calling that."""

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        return import_module("bench.api.frames").records(*arguments, **options)


import_module("bench.records").__class__ = _Records
