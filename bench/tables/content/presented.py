"""How a finished table is presented where a paper asks for something else: which columns, caption and label."""

from dataclasses import replace

from bench.errors import unknown_name
from bench.tables.definition.options import Options
from bench.tables.definition.table import Column, Table, one_line


def presented(table: Table, options: Options) -> Table:
    """The table with the columns, caption and label that were asked for; its figures, marks and notes stay.

    Raises:
        UserError: it has no such column.
    """
    columns = _chosen(table.columns, options.show)
    left = len(table.columns) - len(columns)
    said = f"{left} column(s) are not shown; tests, marks and notes are of all {len(table.columns)}"
    return replace(
        table,
        title=table.title if options.caption is None else one_line(options.caption).removesuffix("."),
        columns=columns,
        notes=[*table.notes, said] if left else table.notes,
        label=table.label if options.label is None else options.label,
        siunitx=options.siunitx,
    )


def _chosen(columns: list[Column], names: tuple[str, ...]) -> list[Column]:
    """The columns that `names` name, in their order: a column's key, or a task for all its metrics."""
    found: dict[str, Column] = {}
    for name in names:
        named = [column for column in columns if name in (column.key, column.task, column.key.partition(".")[0])]
        if not named:
            raise unknown_name("column of this table", name, [column.key for column in columns])
        found |= {column.key: column for column in named}
    return list(found.values()) if names else columns
