"""A benchmark of parameter-efficient fine-tuning: configs → cell → runner → record → tables → findings."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.running.trained import load

__version__ = "0.1.0"
__all__ = ["load"]


def __getattr__(name: str) -> Any:
    """What is public is imported when it is asked for: `import bench` imports no torch."""
    if name == "load":
        from bench.running.trained import load

        return load
    raise AttributeError(f"module 'bench' has no attribute {name!r}")
