"""Others' rows put below ours, in each block that is of their model."""

from dataclasses import replace

from bench.errors import UserError
from bench.tables.definition.others import Reported, read_others
from bench.tables.definition.table import Block, Column, Entry, Row, Table, one_line

CATEGORY = "Reported by others"


def with_others(table: Table, config_dir: str | None) -> Table:
    """The table with what the user's `others/*.yaml` report for its experiment, and a note on each source.

    Raises:
        UserError: a file that is wrong, or a metric that the table does not have.
    """
    reported = [one for one in read_others(config_dir) if table.experiment in one.experiments]
    placed = [(one, found) for one in reported if (found := _found(one, table.columns))]
    notes: dict[str, str] = {}
    blocks = []
    for block in table.blocks:
        first = block.rows[0]
        here = [(one, found) for one, found in placed if (one.model, one.task) == (first.model, first.task)]
        rows = []
        for one, found in here:
            note = one_line(_note(one))
            mark = notes.setdefault(note, f"[{len(notes) + 1}]")
            entries = {column.key: found.get(column.key, Entry("missing")) for column in table.columns}
            rows.append(Row(one.model, "", f"{one_line(one.method)} {mark}", CATEGORY, "", entries, (), one.task, note))
        blocks.append(Block(block.title, block.rows, rows))
    shown = {(row.model, row.task) for block in table.blocks for row in block.rows}
    absent = sorted({f"{one.task} {one.model}".strip() for one, _ in placed if (one.model, one.task) not in shown})
    said = [f"{mark} not ours: {note}" for note, mark in notes.items()]
    said += [f"others' figures without rows of ours beside them are not shown: {', '.join(absent)}"] if absent else []
    return replace(table, blocks=blocks, notes=[*table.notes, *said])


def _note(one: Reported) -> str:
    runs = "seeds not said" if one.seeds is None else "1 seed" if one.seeds == 1 else f"mean of {one.seeds} seeds"
    return f"{one.source}; {runs}; {one.conditions}"


def _found(one: Reported, columns: list[Column]) -> dict[str, Entry]:
    """The row's figures by the key of the table's column; those of columns that it does not have are left out."""
    found = {}
    for name, value in one.values.items():
        of_task = [column for column in columns if name.partition(".")[0].rpartition("/")[2] in _names(column)]
        exact = [column for column in of_task if column.key in (name, name.rpartition("/")[2])]
        if of_task and not exact and "." in name:
            known = ", ".join(column.key for column in of_task)
            raise UserError(f"{one.file}: no column {name} in this table; there is {known}")
        for column in (exact or of_task)[:1]:
            found[column.key] = Entry("reported", value=value)
    return found


def _names(column: Column) -> set[str]:
    """What a column is called without its metric."""
    name = column.key.partition(".")[0]
    return {name, name.rpartition("/")[2]}
