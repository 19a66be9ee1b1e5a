"""The survey's own values, as far as a reader of the paper has filled them in."""

import math
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from bench.errors import UserError
from bench.tables.table import Block, Entry, Row, Table

SURVEY = Path(__file__).parents[1] / "findings" / "survey.yaml"
KEYS = ("table", "row", "model", "column", "value", "source")
MARKER = "\nvalues:"


def with_reference(table: Table, path: Path = SURVEY) -> Table:
    """Put the survey's values beside ours where they are known. A miniature's figures have none to stand beside."""
    known = [] if table.miniature or not table.survey else [v for v in read_values(path) if v["table"] == table.survey]
    if not known:
        return table
    cells = {(_name(value["model"]), value["row"], _column(table, value["column"])): value for value in known}
    blocks = []
    for block in table.blocks:
        rows = [replace(row, entries=_beside(row, cells)) for row in block.rows]
        blocks.append(Block(block.title, rows))
    sources = sorted({str(value["source"]) for value in known})
    note = f"below ours, the survey's value and ours minus it; source: {'; '.join(sources)}"
    return replace(table, blocks=blocks, notes=[*table.notes, note])


def _beside(row: Row, cells: dict[tuple[str, str, str], dict[str, Any]]) -> dict[str, Entry]:
    found = {key: cells.get((_name(row.model), row.method, key)) for key in row.entries}
    return {
        key: entry if (value := found[key]) is None else replace(entry, reference=float(value["value"]))
        for key, entry in row.entries.items()
    }


def _name(model: str) -> str:
    return model.replace("-", "_").lower()


def _column(table: Table, name: str) -> str:
    """The key of the column called `name`: itself, or the first metric of the task."""
    keys = [column.key for column in table.columns]
    return next((key for key in keys if name in {key, key.partition(".")[0]}), name)


def read_values(path: Path = SURVEY) -> list[dict[str, Any]]:
    """The filled-in cells, each with the keys `KEYS`.

    Raises:
        UserError: one of them lacks a key (never a value without a source), or its value is no number.
    """
    return _read(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=4)
def _read(path: Path, _changed: int) -> list[dict[str, Any]]:
    # Only the list at the end: parsing all of the file takes a tenth of a second, and most tables need no more.
    text = path.read_text(encoding="utf-8")
    at = text.rfind(MARKER)
    try:
        values = yaml.safe_load(text[at:])["values"] if at >= 0 else []
    except (yaml.YAMLError, KeyError, TypeError) as error:
        raise UserError(
            f"{path}: the list 'values' at its end cannot be read: {' '.join(str(error).split())}"
        ) from error
    return [_checked(value, f"{path}: value {number}") for number, value in enumerate(values or [], 1)]


def _checked(value: Any, where: str) -> dict[str, Any]:
    missing = [key for key in KEYS if not isinstance(value, dict) or value.get(key) in {None, ""}]
    if missing:
        raise UserError(f"{where} lacks {', '.join(missing)}")
    try:
        is_number = math.isfinite(float(value["value"]))
    except (TypeError, ValueError):
        is_number = False
    if not is_number:
        raise UserError(f"{where}: value={value['value']} is no number")
    return {key: value[key] for key in KEYS}


def set_reference(settings: dict[str, str], path: Path = SURVEY) -> dict[str, Any]:
    """Fill in one cell of the survey's tables, or replace what was there: `bench reference set table=III row=lora …`.

    Args:
        settings: `table`, `row`, `model`, `column`, `value`; `source` says where it was read, by default the paper's
            table of that number.
        path: the file.

    Returns:
        The value as written.

    Raises:
        UserError: a key is missing or unknown, the value is no number, or the file cannot be written.
    """
    unknown = sorted(settings.keys() - set(KEYS))
    if unknown:
        raise UserError(f"unknown key {unknown[0]}; bench reference set takes {', '.join(KEYS)}")
    source = f"Xu et al. 2023, arXiv:2312.12148, Table {settings.get('table')}, typed in by a reader"
    value = _checked({"source": source, **settings}, "bench reference set")
    value["value"] = float(value["value"])
    cell = ("table", "row", "model", "column")
    values = [old for old in read_values(path) if any(str(old[key]) != str(value[key]) for key in cell)]
    text = path.read_text(encoding="utf-8")
    lines = [
        yaml.safe_dump(item, default_flow_style=True, width=10**6, sort_keys=False).strip() for item in [*values, value]
    ]
    text = text[: text.rfind(MARKER)] + MARKER + "\n" + "".join(f"  - {line}\n" for line in lines)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}") from error
    return value
