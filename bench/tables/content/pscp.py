"""What a reader must know of a column of PSCP: its constants, and how its ranks hang on them."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from bench.tables.content.entries import field_entry
from bench.tables.definition.columns import Shown
from bench.tables.definition.frame import Records
from bench.tables.definition.measures import alike
from bench.tables.definition.options import Options
from bench.tables.definition.pscp import Constants, pscp_of
from bench.tables.definition.quantities import PSCP
from bench.tables.definition.rows import RowId, runs_by_row
from bench.tables.definition.schema import ColumnDefinition, TableDefinition
from bench.tables.definition.table import Block, Entry, Row


@dataclass(frozen=True)
class Ranking:
    """What ranks are made again from.

    Attributes:
        records, definition, options: the table's.
        shown: the column of PSCP.
        rows: of each block, the row that each id became.
        expected: how many seeds a row should have, by task.
    """

    records: Records
    definition: TableDefinition
    options: Options
    shown: Shown
    rows: list[list[tuple[RowId, Row]]]
    expected: Callable[[RowId], dict[str, int]]


def formula_note(by: Constants) -> str:
    """The formula with its constants, and the words that set them."""
    return (
        f"PSCP (PEFT-Bench, arXiv:2511.21285) = score × (1 + trainable / {by.parameters:g})^−{by.beta_parameters:g} × "
        f"(1 + extra operations of a forward pass / {by.operations:g})^−{by.beta_operations:g} × (1 + peak of training "
        f"/ {by.memory / 1e9:g} GB)^−{by.beta_memory:g}; other constants: pscp.parameters=, pscp.operations=, "
        "pscp.memory=, pscp.beta_parameters=, …"
    )


def rank_notes(of: Ranking, blocks: list[Block]) -> list[str]:
    """How each block's rows are ranked, and with which constants halved or doubled otherwise; one sentence a block.

    A block with fewer than two values has no ranks.
    """
    asked = [("", of.options.pscp), *of.options.pscp.changed()]
    cells = alike(of.records).cells
    # Columns of their own, so that the cells are sorted into rows once.
    columns = {f"{PSCP} {words}": pscp_of(cells, by) for words, by in asked}
    fields = tuple(ColumnDefinition(field=name, unit="plain") for name in columns)
    runs = runs_by_row(replace(of.records, cells=cells.assign(**columns)), replace(of.definition, columns=fields))

    def order(rows: list[tuple[RowId, Row]], field: ColumnDefinition) -> list[str]:
        shown = replace(of.shown, definition=field)
        entries = [field_entry(runs.get(row_id, {}), shown, of.expected(row_id), of.options) for row_id, _ in rows]
        return _ordered([row for _, row in rows], entries)

    notes = []
    for block, rows in zip(blocks, of.rows, strict=True):
        usual, *others = (order(rows, field) for field in fields)
        if len(usual) < 2:
            continue
        told = [
            f"with {words}: {', '.join(found)}"
            for (words, _), found in zip(asked[1:], others, strict=True)
            if found != usual
        ]
        stays = "the same with each constant halved or doubled" if not told else "; ".join(told)
        notes.append(f"ranks by PSCP, {block.title}: {', '.join(usual)}; {stays}")
    return notes


def _ordered(rows: list[Row], entries: list[Entry]) -> list[str]:
    """The rows' names, the best first; those without a value are left out."""
    named = [(row, entry.value) for row, entry in zip(rows, entries, strict=True)]
    found = [(row, value) for row, value in named if value is not None and not np.isnan(value)]
    found.sort(key=lambda pair: -pair[1])
    return [f"{row.title} ({row.variant})" if row.variant else row.title for row, _ in found]
