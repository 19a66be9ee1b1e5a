"""The survey's own values, as far as a reader of the paper has filled them in."""

import math
from collections import Counter
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from bench.errors import UserError
from bench.tables.content.survey_cells import CELL, check_cells, model_name, row_keys, survey_tables
from bench.tables.definition.grid import setting_text
from bench.tables.definition.table import Block, Table

SURVEY = Path(__file__).parents[2] / "findings" / "survey.yaml"
KEYS = (*CELL, "value", "source")
MARKER = "\nvalues:"


def with_reference(table: Table, path: Path = SURVEY, config_dir: str | None = None) -> Table:
    """Put the survey's values beside ours where they are known. A miniature's figures have none to stand beside.

    A value stands beside the one row that it is of: rows that records' settings tell apart, beyond what makes rows of
    the survey's table, have none, and a note says so.

    Raises:
        UserError: a value of this table is of no cell that the table has.
    """
    known = [] if table.miniature or not table.survey else [v for v in read_values(path) if v["table"] == table.survey]
    if not known:
        return table
    check_cells(((f"{path}: a value", _cell(value)) for value in known), survey_tables(config_dir), config_dir)
    keys = {*table.row_keys}
    cells = {
        (_row(value, table.row_keys), _column(table, value["column"])): float(value["value"])
        for value in known
        if {*_cell(value)} - {*CELL} == keys
    }
    blocks, several = [], set()
    for block in table.blocks:
        often = Counter((model_name(row.model), row.method, row.keys) for row in block.rows)
        rows = []
        for row in block.rows:
            name = (model_name(row.model), row.method, row.keys)
            found = {key: cells[name, key] for key in row.entries if (name, key) in cells}
            if found and often[name] > 1:
                several.add(f"{row.method} on {row.model}")
                found = {}
            entries = {
                key: replace(entry, reference=found[key]) if key in found else entry
                for key, entry in row.entries.items()
            }
            rows.append(replace(row, entries=entries))
        blocks.append(Block(block.title, rows))
    sources = sorted({str(value["source"]) for value in known})
    notes = [f"below ours, the survey's value and ours minus it; source: {'; '.join(sources)}"]
    notes += [
        f"{name}: rows of different settings, so the survey's value stands beside none" for name in sorted(several)
    ]
    return replace(table, blocks=blocks, notes=[*table.notes, *notes])


def reference_keys(config_dir: str | None = None) -> list[str]:
    """What `bench reference set` takes."""
    return [*KEYS, *row_keys(survey_tables(config_dir))]


def _cell(value: dict[str, Any]) -> dict[str, str]:
    """What names a value's cell."""
    return {key: str(item) for key, item in value.items() if key not in {"value", "source"}}


def _row(value: dict[str, Any], keys: tuple[str, ...]) -> tuple[str, str, tuple[str, ...]]:
    return model_name(value["model"]), value["row"], tuple(value[key] for key in keys)


def _column(table: Table, name: str) -> str:
    """The key of the column called `name`: itself, or the first metric of the task."""
    keys = [column.key for column in table.columns]
    short = name if name in keys or name in {key.partition(".")[0] for key in keys} else name.rpartition("/")[2]
    return next((key for key in keys if short in {key, key.partition(".")[0]}), name)


def read_values(path: Path = SURVEY) -> list[dict[str, Any]]:
    """The filled-in cells, each with the keys `KEYS`, and the settings that make rows of its table, if any.

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
    settings = {str(key): setting_text(value[key]) for key in value if key not in KEYS}
    return {**{key: str(value[key]) for key in CELL}, **settings, **{key: value[key] for key in ("value", "source")}}


def set_reference(settings: dict[str, str], path: Path = SURVEY, config_dir: str | None = None) -> dict[str, Any]:
    """Fill in one cell of the survey's tables, or replace what was there: `bench reference set table=III row=lora …`.

    Args:
        settings: `table`, `row`, `model`, `column`, `value`, and the settings that make rows of the table, such as
            `training.learning_rate` in Table V; `source` says where it was read, by default the paper's table of that
            number.
        path: the file.
        config_dir: a folder of the user's own, for methods, models and tables there.

    Returns:
        The value as written.

    Raises:
        UserError: a key is missing or unknown, no table has such a cell, the value is no number, or the file cannot be
            written.
    """
    tables = survey_tables(config_dir)
    known = [*KEYS, *row_keys(tables)]
    unknown = sorted(settings.keys() - {*known})
    if unknown:
        raise UserError(f"unknown key {unknown[0]}; bench reference set takes {', '.join(known)}")
    source = f"Xu et al. 2023, arXiv:2312.12148, Table {settings.get('table')}, typed in by a reader"
    value = _checked({"source": source, **settings}, "bench reference set")
    value["value"] = float(value["value"])
    check_cells([("bench reference set", _cell(value))], tables, config_dir)
    values = [old for old in read_values(path) if _place(old) != _place(value)]
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


def _place(value: dict[str, Any]) -> dict[str, str]:
    """The value's cell; two spellings of a model are one."""
    return {**_cell(value), "model": model_name(value["model"])}
