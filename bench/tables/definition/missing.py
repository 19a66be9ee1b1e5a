"""Cells that an experiment's grid asks for and that have no record."""

from collections.abc import Iterable

import pandas as pd

from bench.records.fields import SETTINGS
from bench.tables.definition.grid import ExpectedCell
from bench.tables.definition.settings import flat_settings

Identity = tuple[str, str, str, int]  # model, task, method, seed


def missing_cells(expected: list[ExpectedCell], cells: pd.DataFrame) -> list[ExpectedCell]:
    """Those of `expected` that are not in `cells`.

    A grid says of a cell its model, task, method and seed, and often settings. A record with other settings is another
    cell only where the grid has several that nothing else tells apart, as one of learning rates has: settings on the
    command line go before the grid's, and a cell that was run with them was run.

    Args:
        expected: the grid's cells.
        cells: with the columns model, task, method, seed and settings (JSON).
    """
    telling = _telling_keys(expected)
    identities = [*zip(*(cells[name].tolist() for name in ("model", "task", "method", "seed")), strict=True)]
    there = set(identities)
    run = set()
    if any(telling.values()):
        settings = cells["settings"].tolist()
        flat = {text: flat_settings(text) for text in set(settings)}
        run = {
            (identity, _values(flat[text], telling[identity]))
            for identity, text in zip(identities, settings, strict=True)
            if telling.get(identity)
        }
    return [
        cell
        for cell in expected
        if (identity := _identity(cell)) not in there
        or (telling[identity] and (identity, _values(dict(cell.settings), telling[identity])) not in run)
    ]


def _identity(cell: ExpectedCell) -> Identity:
    return cell.model, cell.task, cell.method, cell.seed


def _telling_keys(expected: Iterable[ExpectedCell]) -> dict[Identity, list[str]]:
    """For each identity, the settings in which the grid's cells of it differ, as far as records tell them."""
    several: dict[Identity, list[dict[str, str]]] = {}
    for cell in expected:
        several.setdefault(_identity(cell), []).append(dict(cell.settings))
    return {identity: _differing(cells) if len(cells) > 1 else [] for identity, cells in several.items()}


def _differing(cells: list[dict[str, str]]) -> list[str]:
    keys = {key for cell in cells for key in cell if _recorded(key).partition(".")[0] in SETTINGS}
    return sorted(key for key in keys if len({cell.get(key) for cell in cells}) > 1)


def _recorded(key: str) -> str:
    """Where a record has the setting that a grid calls `key`."""
    return f"method.settings.{key.removeprefix('peft.')}" if key.startswith("peft.") else key


def _values(settings: dict[str, str], keys: list[str]) -> tuple[str, ...]:
    return tuple(settings.get(key, settings.get(_recorded(key), "null")) for key in keys)
