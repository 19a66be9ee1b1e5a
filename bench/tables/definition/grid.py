"""The cells that an experiment should have, from the grid in its configuration; what is not there is missing."""

import itertools
import re
from dataclasses import dataclass
from typing import Any

NUMBER = re.compile(r"[-+]?\d+(\.\d*)?([eE][-+]?\d+)?")  # YAML 1.1 takes 2e-6 for text


@dataclass(frozen=True)
class ExpectedCell:
    """One cell of a grid. `settings`: the other keys that the grid sets, such as ("training.learning_rate", 1e-4)."""

    model: str
    task: str
    method: str
    seed: int
    settings: tuple[tuple[str, str], ...] = ()


def expected_cells(grid: list[dict[str, Any]]) -> list[ExpectedCell]:
    """Multiply out a grid: for each sub-grid the product of its lists, in order, each cell once.

    Sub-grids that leave the model, the task or the method to the command line expect nothing in particular.
    """
    cells: dict[ExpectedCell, None] = {}
    for subgrid in grid:
        keys = [key.lstrip("+") for key in subgrid]
        if not {"model", "task", "method"} <= set(keys):
            continue
        for values in itertools.product(*(_choices(value) for value in subgrid.values())):
            chosen = dict(zip(keys, values, strict=True))
            model, task, method = (str(chosen.pop(key)) for key in ("model", "task", "method"))
            seed = int(chosen.pop("seed", 0))
            settings = tuple((key, setting_text(value)) for key, value in chosen.items())
            cells[ExpectedCell(model, task, method, seed, settings)] = None
    return list(cells)


def _choices(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def setting_text(value: Any) -> str:
    """A setting's value as a table shows it: numbers in their shortest form, so that 1e-4 and "0.0001" are one."""
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    if isinstance(value, str) and NUMBER.fullmatch(value):
        value = float(value)
    if isinstance(value, int | float):
        return f"{value:g}" if abs(value) < 1e6 else str(value)
    return str(value)
