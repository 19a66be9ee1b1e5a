"""A table as GitHub's Markdown."""

import re

from bench.tables.definition.table import Column, Entry, Row, Table, one_line
from bench.tables.formats.numbers import entry_text, reference_text
from bench.tables.formats.text import row_label

# No backslash: GitHub does not take one before links, mentions and emoji; a character reference always works.
SPECIAL = re.compile(r"[\\`*_{}\[\]<>#!|~$&@]|:(?=\S)|(?<=www)\.|^[-+.()=\d]", re.IGNORECASE)


def escape(text: str) -> str:
    """Text that GitHub shows as it is: no markup, no link, no mention, no new table cell."""
    return SPECIAL.sub(lambda found: found[0] if found[0].isdigit() else f"&#{ord(found[0])};", one_line(text))


def to_markdown(table: Table) -> str:
    """A heading, one table per block, and the notes as a list. Best in bold, second best in italics."""
    lines = [f"### {escape(table.title)}", ""]
    for block in table.blocks:
        header = [escape(block.title), "Category", *(_header(column) for column in table.columns)]
        lines += [_line(header), _line([":---", ":---", *["---:"] * len(table.columns)])]
        category = None
        for row in block.every_row:
            cells = [_cell(row.entries[column.key], column, table.seeds) for column in table.columns]
            lines.append(_line([_label(row), escape("" if row.category == category else row.category), *cells]))
            category = row.category
        lines.append("")
    lines += [f"- {escape(note)}" for note in table.notes]
    return "\n".join(lines) + "\n"


def _label(row: Row) -> str:
    text = escape(row_label(row))
    return f"*{text}*" if row.source else text


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _header(column: Column) -> str:
    return "<br>".join(escape(part) for part in (column.group, column.title) if part)


def _cell(entry: Entry, column: Column, seeds: int) -> str:
    text = escape(entry_text(entry, column, seeds))
    if entry.rank is not None:
        text = f"**{text}**" if entry.rank == 1 else f"*{text}*"
    text += f"<sup>{entry.tied}</sup>" if entry.tied else ""
    reference = reference_text(entry, column)
    return f"{text}<br>{escape(reference)}" if reference else text
