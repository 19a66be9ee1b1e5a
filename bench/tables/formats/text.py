"""A table in the terminal, with rich."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich import box
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from bench.tables.definition.table import Block, Column, Entry, Row, Table
from bench.tables.formats.numbers import entry_text, reference_text

STYLES = {1: "bold green", 2: "underline"}
GAP = 3  # characters between columns
SPACE = "\u00a0"  # that rich leaves at the end of a line


def render_text(table: Table, console: Console) -> None:
    """Print a table. Where a terminal is too narrow, the columns go on below; a pipe or file gets all in one piece."""
    console.print(Text(heading(table), style="bold"), soft_wrap=True)
    for block in table.blocks:
        pieces = _pieces(table, block, console.width) if console.is_terminal else [table.columns]
        for columns in pieces:
            with _wide_enough(console, _width(table, block, columns)):
                console.print(_draw(table, block, columns), crop=False)
            console.print()
    for note in table.notes:
        console.print(Text(f"  {note}", style="dim"), soft_wrap=not console.is_terminal)


@contextmanager
def _wide_enough(console: Console, width: int) -> Iterator[None]:
    """In a pipe the console's width means nothing; lines may be as long as they need."""
    before = console.width
    if not console.is_terminal:
        console.width = max(before, width)
    yield
    console.width = before


def heading(table: Table) -> str:
    """The caption and where the records come from."""
    return f"{table.title} [{table.experiment}]"


def _draw(table: Table, block: Block, columns: list[Column]) -> RichTable:
    drawn = RichTable(box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False, show_edge=False)
    drawn.add_column(Text(block.title, style="bold"), no_wrap=True)
    drawn.add_column("", no_wrap=True)
    for column in columns:
        drawn.add_column(Text(_header(column), justify="right"), justify="right", no_wrap=True)
    lettered = {column.key: max(len(row.entries[column.key].tied) for row in block.every_row) for column in columns}
    category = None
    for row in block.every_row:
        new = row.category != category
        category = row.category
        cells = [_cell(row.entries[column.key], column, table.seeds, lettered[column.key]) for column in columns]
        style = "italic dim" if row.source else ""
        if new and row.source:
            drawn.add_section()
        drawn.add_row(Text(row_label(row), style=style), Text(row.category if new else "", style="dim"), *cells)
    return drawn


def row_label(row: Row) -> str:
    """The method's title, with the settings that tell it from others in parentheses."""
    return f"{row.title} ({row.variant})" if row.variant else row.title


def _header(column: Column) -> str:
    return f"{column.group}\n{column.title}" if column.group else column.title


def _cell(entry: Entry, column: Column, seeds: int, letters: int) -> Text:
    """An entry, with letters in a place of their own, so that figures stand below each other."""
    text = Text.assemble((entry_text(entry, column, seeds), STYLES.get(entry.rank or 0, "")))
    if letters:
        text.append(f" {entry.tied.ljust(letters, SPACE)}", style="dim")
    reference = reference_text(entry, column)
    return text.append(f"\n{reference}", style="dim") if reference else text


def _column_width(table: Table, block: Block, column: Column) -> int:
    texts = _header(column).splitlines()
    for row in block.every_row:
        entry = row.entries[column.key]
        texts += [f"{entry_text(entry, column, table.seeds)} {entry.tied}", reference_text(entry, column)]
    return max(map(len, texts)) + GAP


def _label_width(block: Block) -> int:
    labels = [block.title, *(row_label(row) for row in block.every_row)]
    return max(map(len, labels)) + max((len(row.category) for row in block.every_row), default=0) + 2 * GAP


def _width(table: Table, block: Block, columns: list[Column]) -> int:
    return _label_width(block) + sum(_column_width(table, block, column) for column in columns)


def _pieces(table: Table, block: Block, width: int) -> list[list[Column]]:
    """Split the columns so that each piece, with the labels in front, fits into `width` characters."""
    pieces: list[list[Column]] = [[]]
    for column in table.columns:
        if pieces[-1] and _width(table, block, [*pieces[-1], column]) > width:
            pieces.append([])
        pieces[-1].append(column)
    return pieces
