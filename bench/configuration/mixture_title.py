"""What a composition of methods is called whose YAML has no title: by its parts."""

from collections.abc import Iterator
from typing import Any

ORIGIN = "the titles of its parts"


def title_by_parts(method: dict[str, Any]) -> str:
    """`LoRA 0.7 + Adapter (parallel) 0.3 + BitFit`: parts in the order of the YAML and the command line.

    Args:
        method: its resolved configuration.

    Returns:
        Empty where it has a title, or no parts to be called by.
    """
    if method.get("title") or not method.get("parts"):
        return ""
    shares = method.get("shares")
    told = [_with_share(str(part.get("title") or name), name, shares) for name, part in _parts(method["parts"])]
    return " + ".join(told) or str(method.get("name"))


def _with_share(title: str, name: str, shares: Any) -> str:
    share = shares.get(name) if isinstance(shares, dict) else None
    return f"{title} {share:.2g}" if isinstance(share, int | float) else title


def _parts(parts: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name and settings of each that is there; of a list the methods' own names."""
    named = parts.items() if isinstance(parts, dict) else ((None, part) for part in parts)
    for name, part in named:
        if isinstance(part, dict):
            yield str(name or part.get("name")), part
