"""Tables as one self-contained page: sortable, filterable, with the record behind each figure; no request leaves it.

Everything that comes from records is escaped here; scripts and styles are the two files in `page/`, and the page's own
policy forbids anything from elsewhere.
"""

import math
from collections.abc import Iterable
from html import escape as escape_markup
from pathlib import Path

from bench.tables.definition.table import Block, Column, Entry, Row, Table, one_line
from bench.tables.figures.drawing import Drawing, as_svg, figures_of
from bench.tables.formats.numbers import entry_text, reference_text
from bench.tables.formats.text import row_label

PAGE = Path(__file__).parent
POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"
RECORDS_IN_TIP = 6


def escape(text: object) -> str:
    """Text for an element or a quoted attribute."""
    return escape_markup(one_line(text), quote=True)


def to_html(tables: list[Table], sections: Iterable[str] = (), title: str | None = None, figures: bool = True) -> str:
    """A page of tables.

    Args:
        tables: from top to bottom.
        sections: finished HTML to put after them, such as the findings.
        title: of the page; the first table's if it is not given.
        figures: whether the tables' figures are drawn into it.
    """
    heading = escape(title or (tables[0].title if tables else "Tables"))
    parts = [_section(table, figures) for table in tables]
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<title>{heading}</title>
<style>
{(PAGE / "page.css").read_text(encoding="utf-8")}</style>
</head>
<body>
<h1>{heading}</h1>
{_filters(tables)}
{"".join(parts)}{"".join(sections)}<div id="tip" role="tooltip" hidden></div>
<script>
{(PAGE / "page.js").read_text(encoding="utf-8")}</script>
</body>
</html>
"""


def _filters(tables: list[Table]) -> str:
    models = dict.fromkeys(row.model for table in tables for block in table.blocks for row in block.rows)
    shown = [column.task for table in tables for column in table.columns]
    # A block's task has its full name, glue/cola; a column's the last part, as a reader says it.
    shown += [row.task.rpartition("/")[2] for table in tables for block in table.blocks for row in block.rows]
    tasks = dict.fromkeys(filter(None, shown))
    options = {
        "model": "".join(f'<option value="{escape(model)}">{escape(model)}</option>' for model in models),
        "task": "".join(f'<option value="{escape(task)}">{escape(task)}</option>' for task in tasks),
    }
    selects = "".join(
        f'<label>{name}<select id="filter-{name}"><option value="">all</option>{choices}</select></label>'
        for name, choices in options.items()
    )
    return f'<div class="filters">{selects}<label>method<input id="filter-method" type="search"></label></div>'


def _section(table: Table, figures: bool) -> str:
    bodies = "".join(_body(table, block) for block in table.blocks)
    drawn = [_figure(drawing) for drawing in figures_of(table)] if figures else []
    shown = f'<div class="figures">{"".join(drawn)}</div>\n' if drawn else ""
    notes = "".join(f"<li>{escape(note)}</li>" for note in table.notes)
    return (
        f'<section>\n<h2>{escape(table.title)}</h2>\n<div class="scroll"><table class="results">\n'
        f"{_head(table.columns)}{bodies}</table></div>\n"
        f'<ul class="notes">{notes}</ul>\n{shown}</section>\n'
    )


def _figure(drawing: Drawing) -> str:
    of = f'data-of-model="{escape(drawing.model)}" data-of-task="{escape(drawing.task)}"'
    return f"<figure {of}>{as_svg(drawing.figure)}</figure>"


def _head(columns: list[Column]) -> str:
    titles = "".join(_header(index, text, "text") for index, text in enumerate(("Method", "Category")))
    for index, column in enumerate(columns, 2):
        titles += _header(index, column.title, "number", column.task)
    groups, at = '<th colspan="2"></th>', 0
    while at < len(columns):
        span = 1
        while columns[at].group and at + span < len(columns) and columns[at + span].group == columns[at].group:
            span += 1
        task = columns[at].task
        groups += f'<th class="group" colspan="{span}" data-task="{escape(task)}">{escape(columns[at].group)}</th>'
        at += span
    first = f"<tr>{groups}</tr>" if any(column.group for column in columns) else ""
    return f"<thead>{first}<tr>{titles}</tr></thead>\n"


def _header(index: int, text: str, kind: str, task: str = "") -> str:
    button = f'<button type="button" data-index="{index}">{escape(text)}</button>'
    return f'<th scope="col" class="{kind}" data-kind="{kind}" data-task="{escape(task)}">{button}</th>'


def _body(table: Table, block: Block) -> str:
    rows = "".join(_row(table, row) for row in block.every_row)
    span = len(table.columns) + 2
    return f'<tbody><tr class="block"><td colspan="{span}">{escape(block.title)}</td></tr>\n{rows}</tbody>\n'


def _row(table: Table, row: Row) -> str:
    label = row_label(row)
    cells = f'<td class="text">{escape(label)}</td><td class="text">{escape(row.category)}</td>'
    cells += "".join(_cell(row.entries[column.key], column, table.seeds) for column in table.columns)
    words = f"{label} {row.method} {row.category}"
    return (
        f'<tr class="{"others" if row.source else "ours"}" data-of-model="{escape(row.model)}" '
        f'data-of-task="{escape(row.task)}" data-method="{escape(row.method)}" '
        f'data-words="{escape(words)}">{cells}</tr>\n'
    )


def _cell(entry: Entry, column: Column, seeds: int) -> str:
    sortable = entry.value is not None and math.isfinite(entry.value)
    attributes = [
        f'data-value="{entry.value!r}"' if sortable else 'data-value=""',
        f'data-task="{escape(column.task)}"',
    ]
    if entry.rank is not None:
        attributes.append(f'data-rank="{entry.rank}"')
    if entry.value is None:
        attributes.append('class="none"')
    if entry.records or entry.expected:
        # A line break is the one control character that a tip may hold; it is written here, not taken from records.
        tip = "&#10;".join(escape(line) for line in tip_lines(entry, column))
        attributes.append(f'tabindex="0" data-tip="{tip}"')
    reference = reference_text(entry, column)
    below = f'<span class="survey">{escape(reference)}</span>' if reference else ""
    letters = f"<sup>{escape(entry.tied)}</sup>" if entry.tied else ""
    return f"<td {' '.join(attributes)}>{escape(entry_text(entry, column, seeds))}{letters}{below}</td>"


def tip_lines(entry: Entry, column: Column) -> list[str]:
    """What is behind an entry: its status, the value of each seed in full, and the records' paths."""
    lines = [f"{column.group} {column.title}: {entry.status.replace('_', ' ')}".strip()]
    if entry.value is not None:
        lines.append(f"value {entry.value!r}")
    if entry.values and entry.expected:
        lines.append("by seed: " + ", ".join(f"{value:.6g}" for value in entry.values[:RECORDS_IN_TIP]))
    if entry.expected:
        lines.append(f"{entry.seeds} of {entry.expected} seeds finished")
    if entry.tied:
        lines.append(f"cannot be told apart from others with {' or '.join(entry.tied)}")
    if entry.p_value is not None:
        lines.append(f"p = {entry.p_value:.3g}, corrected")
    lines += entry.records[:RECORDS_IN_TIP]
    left = len(entry.records) - RECORDS_IN_TIP
    return [*lines, f"and {left} more records"] if left > 0 else lines
