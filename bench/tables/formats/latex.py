r"""A table as LaTeX: booktabs, grouped rows, nothing beyond `texlive-latex-recommended`.

The file is made for `\input`; the document's preamble needs `\usepackage{booktabs,graphicx}`.
"""

import re

from bench.tables.definition.table import Column, Entry, Table, one_line
from bench.tables.formats.latex_text import escape
from bench.tables.formats.numbers import entry_text, reference_text
from bench.tables.formats.text import row_label

COLUMN = 75  # characters that the column of a two-column paper holds, scaled down by a quarter at most


def to_latex(table: Table) -> str:
    """A `table` environment: blocks by model, rows grouped by category; best in bold, second best underlined.

    A wide table is a `table*`: as wide as the page in a paper of two columns, in one of one column the same.
    """
    width = len(table.columns) + 1
    wide = _characters(table) > COLUMN
    float_ = "table*" if wide else "table"
    lines = [
        r"% needs \usepackage{booktabs,graphicx}; made by: " + _comment(f"{table.command} format=latex"),
        rf"\begin{{{float_}}}[{'tp' if wide else 'tbp'}]",
        r"\centering\footnotesize\setlength{\tabcolsep}{3pt}\setlength{\belowcaptionskip}{4pt}",
        rf"\caption{{{_caption(table)}}}",
        rf"\label{{tab:{_label(table.name)}}}",
        r"% a table wider than the line is scaled down to it",
        rf"\sbox0{{\begin{{tabular}}{{l{'r' * len(table.columns)}}}",
        r"\toprule",
        *_header(table.columns),
    ]
    for block in table.blocks:
        lines += [r"\midrule", rf"\multicolumn{{{width}}}{{c}}{{\textbf{{{escape(block.title)}}}}} \\", r"\midrule"]
        category = None
        for row in block.rows:
            if row.category != category:
                if category is not None:
                    lines.append(r"\addlinespace")
                lines.append(rf"\multicolumn{{{width}}}{{l}}{{\emph{{{escape(row.category)}}}}} \\")
                category = row.category
            cells = [_cell(row.entries[column.key], column, table.seeds) for column in table.columns]
            lines.append(" & ".join([rf"\quad {escape(row_label(row))}", *cells]) + r" \\")
    lines += [
        r"\bottomrule",
        r"\end{tabular}}%",
        r"\ifdim\wd0>\linewidth\resizebox{\linewidth}{!}{\usebox0}\else\usebox0\fi",
        rf"\end{{{float_}}}",
    ]
    return "\n".join(lines) + "\n"


def _characters(table: Table) -> int:
    """How wide the table is, about."""
    rows = [row for block in table.blocks for row in block.rows]
    width = max((len(row_label(row)) for row in rows), default=0) + 2
    for column in table.columns:
        texts = [entry_text(row.entries[column.key], column, table.seeds) for row in rows]
        beside = [reference_text(row.entries[column.key], column) for row in rows]
        letters = [row.entries[column.key].tied for row in rows]
        longest = (sum(map(len, parts)) for parts in zip(texts, beside, letters, strict=True))
        width += max(len(column.title), *longest) + 1
    return width


def _caption(table: Table) -> str:
    notes = "; ".join(escape(note) for note in table.notes)
    return f"{escape(table.title)}. {notes}." if notes else f"{escape(table.title)}."


def _label(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9-]", "-", name)


def _comment(text: str) -> str:
    return one_line(text).encode("ascii", "replace").decode()


def _header(columns: list[Column]) -> list[str]:
    """One line of titles, above it one of groups with rules where there are any."""
    groups: list[str] = [""]
    rules: list[str] = []
    at = 0
    while at < len(columns):
        group, span = columns[at].group, 1
        while group and at + span < len(columns) and columns[at + span].group == group:
            span += 1
        groups.append(rf"\multicolumn{{{span}}}{{c}}{{{escape(group)}}}" if group else "")
        if group:
            rules.append(rf"\cmidrule(lr){{{at + 2}-{at + span + 1}}}")
        at += span
    titles = " & ".join(["Method", *(escape(column.title) for column in columns)]) + r" \\"
    return [" & ".join(groups) + r" \\", " ".join(rules), titles] if rules else [titles]


def _cell(entry: Entry, column: Column, seeds: int) -> str:
    text = escape(entry_text(entry, column, seeds))
    if entry.rank is not None:
        text = rf"\textbf{{{text}}}" if entry.rank == 1 else rf"\underline{{{text}}}"
    text += rf"\textsuperscript{{{entry.tied}}}" if entry.tied else ""
    reference = reference_text(entry, column)
    return rf"{text} {{\scriptsize {escape(reference)}}}" if reference else text
