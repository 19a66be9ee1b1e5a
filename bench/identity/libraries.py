"""Versions of what computes a cell. They are recorded and named, and make no cell stale."""

import importlib.metadata
from functools import cache

LIBRARIES = (
    "torch", "transformers", "tokenizers", "peft", "accelerate", "datasets", "bitsandbytes", "numpy", "scikit-learn",
    "sacrebleu",
)  # fmt: skip
HARNESS = "peft-rematch"  # as pip calls it


@cache
def libraries() -> dict[str, str | None]:
    """The installed version of each library that a score may depend on, and of the harness; None: not installed."""
    return {"bench" if name == HARNESS else name: _version(name) for name in (HARNESS, *LIBRARIES)}


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
