"""A table as two CSV files at full precision: a long one for programs and a wide one shaped like the table."""

import re
from pathlib import Path

import pandas as pd
import pyarrow as pa
from pyarrow import csv  # of many records pandas' own takes most of the time

from bench.system.links import own_file
from bench.tables.definition.grid import NUMBER
from bench.tables.definition.table import Table, one_line
from bench.tables.formats.tidy import tidy

# What spreadsheets take for the beginning of a formula, in the East Asian widths too; and what stands before it here.
FORMULA = re.compile("[=+\\-@\\t\\r'＝＋－＠]")


def to_csv(table: Table, folder: Path) -> list[Path]:
    """Write `<name>.long.csv` (a row per cell and metric) and `<name>.wide.csv` (a row per row of the table).

    Text is quoted, numbers are not, a value that is not there is empty. UTF-8 without a byte-order mark. No text is a
    formula (see `without_formulas`).
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for kind, frame in (("long", long_frame(table)), ("wide", wide_frame(table))):
        path = own_file(folder / f"{table.name}.{kind}.csv")
        csv.write_csv(pa.Table.from_pandas(without_formulas(frame), preserve_index=False), path)
        paths.append(path)
    return paths


def without_formulas(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame as a spreadsheet may open it: an apostrophe before every text that it would take for a formula.

    One goes before texts that begin with an apostrophe too, so that taking the first one away gives all texts back.
    """
    safe = frame.rename(columns={name: plain_text(name) for name in frame.columns})
    for name in safe.columns:
        if not pd.api.types.is_numeric_dtype(safe[name]):
            values = [value for value in safe[name].unique().tolist() if isinstance(value, str)]
            if any(value != plain_text(value) for value in values):
                safe[name] = safe[name].map({value: plain_text(value) for value in values})
    return safe


def plain_text(text: str) -> str:
    """The text as a cell that is no formula."""
    return f"'{text}" if FORMULA.match(text) and not NUMBER.fullmatch(text) else text


def long_frame(table: Table) -> pd.DataFrame:
    """The tidy frame (see `bench.tables.formats.tidy`), its text free of control characters."""
    frame = tidy(table.records, table.row_keys)
    for name in frame.columns:
        if not pd.api.types.is_numeric_dtype(frame[name]):
            values = [value for value in frame[name].unique().tolist() if isinstance(value, str)]
            if not "".join(values).isprintable() or any(value != value.strip() for value in values):
                frame[name] = frame[name].map({value: one_line(value) for value in values})
    return frame


def wide_frame(table: Table) -> pd.DataFrame:
    """One row per row of the table.

    Returns:
        Columns: block, category, method, title, settings; then for each column of the table its value under the
        column's key and `<key>.status`, and for scores and measurements `<key>.std` and `<key>.seeds`;
        for scores the mark as `<key>.rank`, 1 or 2, and the letters as `<key>.tied`.
        Rows that others reported have no method; where there are some, `source` says whose they are.
        Where known, the survey's value as `<key>.survey`; where asked for, `<key>.low`, `<key>.high`, `<key>.p`.
    """
    every_row = [row for block in table.blocks for row in block.rows]
    measured = {key for row in every_row for key, entry in row.entries.items() if entry.expected}
    rows = []
    for block in table.blocks:
        for row in block.every_row:
            cells: dict[str, object] = {
                "block": block.title,
                "category": row.category,
                "method": one_line(row.method),
                "title": row.title,
                "settings": row.variant,
            }
            if any(block.others for block in table.blocks):
                cells["source"] = row.source or None
            for column in table.columns:
                entry, key = row.entries[column.key], column.key
                cells[key] = entry.value
                if column.score or column.key in measured:
                    cells[f"{key}.std"], cells[f"{key}.seeds"] = entry.deviation, entry.seeds
                if column.score:
                    cells[f"{key}.rank"], cells[f"{key}.tied"] = entry.rank, entry.tied or None
                if entry.interval is not None:
                    cells[f"{key}.low"], cells[f"{key}.high"] = entry.interval
                if entry.p_value is not None:
                    cells[f"{key}.p"] = entry.p_value
                if entry.reference is not None:
                    cells[f"{key}.survey"] = entry.reference
                cells[f"{key}.status"] = entry.status
            rows.append(cells)
    frame = pd.DataFrame(rows)
    numbers = [
        name
        for name in frame.columns
        if name.rpartition(".")[2] in {"std", "seeds", "rank", "low", "high", "p", "survey"}
    ]
    for name in {*numbers, *(column.key for column in table.columns)} & set(frame.columns):
        frame[name] = pd.to_numeric(frame[name])
    return frame
