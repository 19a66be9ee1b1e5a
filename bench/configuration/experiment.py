"""An experiment: a named grid, and the cells it consists of."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

# A grid's keys in the order in which overrides are given; the rest follows.
FIRST = ("model", "task", "method", "seed")
# What `bench sweep` takes as a filter on an experiment's grid; every other key is an override of all its cells.
FILTERS = ("model", "task", "method")
PREFIXES = ("+", "~")  # Hydra's, of keys that are added, also in place of others, or deleted

Choices = Mapping[str, Sequence[str]]  # configuration key → its values on the command line


def grid_overrides(
    grid: Sequence[Mapping[str, Any]], given: Choices, filters: Sequence[str] = FILTERS
) -> Iterator[list[str]]:
    """Expand an experiment's grid into the overrides of each of its cells.

    Args:
        grid: sub-grids, each a mapping of configuration keys to a value or a list of values; a cell for every
            combination. No sub-grid means one cell: the configuration as it stands.
        given: the user's keys. For `filters` that a sub-grid has, only the values given are kept; any other key
            overrides the grid's, and several values multiply the cells.
        filters: keys of which a user can choose among the grid's values only.

    Yields:
        Lists of "key=value", each cell once.
    """
    seen = set()
    for part in grid or [{}]:
        choices = {key: [word(value) for value in _as_list(values)] for key, values in part.items()}
        for key, values in given.items():
            if key.startswith(PREFIXES):
                choices.pop(key.lstrip("".join(PREFIXES)), None)
            kept = [value for value in choices[key] if value in values] if key in filters and key in choices else values
            choices[key] = list(kept)
        keys = sorted(choices, key=lambda key: FIRST.index(key) if key in FIRST else len(FIRST))
        for values in itertools.product(*(choices[key] for key in keys)):
            overrides = [f"{key}={value}" for key, value in zip(keys, values, strict=True)]
            if tuple(overrides) not in seen:
                seen.add(tuple(overrides))
                yield overrides


def _as_list(values: Any) -> list[Any]:
    return list(values) if isinstance(values, Sequence) and not isinstance(values, str) else [values]


def word(value: Any) -> str:
    """A YAML value as Hydra's grammar writes it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key}:{word(item)}" for key, item in value.items()) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ",".join(word(item) for item in value) + "]"
    return str(value)
