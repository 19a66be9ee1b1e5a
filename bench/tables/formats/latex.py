r"""A table as LaTeX: booktabs, grouped rows, nothing beyond `texlive-latex-recommended` unless siunitx is asked for.

The file is made for `\input`; the preamble needs `\usepackage{booktabs,graphicx}`, with `siunitx=true` siunitx too. The
caption is a sentence; the notes stand under the figures, as wide as the line, in no need of a package.
"""

import re

from bench.tables.definition.table import Column, Entry, Table, one_line
from bench.tables.formats.latex_aligned import SETUP, aligned, alignment
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
        rf"% needs \usepackage{{{_packages(table)}}}; made by: " + _comment(f"{table.command} format=latex"),
        rf"\begin{{{float_}}}[{'tp' if wide else 'tbp'}]",
        r"\centering\footnotesize\setlength{\tabcolsep}{3pt}\setlength{\belowcaptionskip}{4pt}",
        rf"\caption{{{escape(table.title)}.}}",
        rf"\label{{{table.label or f'tab:{_label(table.name)}'}}}",
        *([SETUP] if table.siunitx else []),
        r"% a table wider than the line is scaled down to it",
        rf"\sbox0{{\begin{{tabular}}{{l{_alignments(table)}}}",
        r"\toprule",
        *_header(table.columns, "{{{}}}" if table.siunitx else "{}"),
    ]
    cell = aligned if table.siunitx else _cell
    for block in table.blocks:
        lines += [r"\midrule", rf"\multicolumn{{{width}}}{{c}}{{\textbf{{{escape(block.title)}}}}} \\", r"\midrule"]
        category = None
        for row in block.every_row:
            if row.category != category:
                if category is not None:
                    lines.append(r"\midrule" if row.source else r"\addlinespace")
                lines.append(rf"\multicolumn{{{width}}}{{l}}{{\emph{{{escape(row.category)}}}}} \\")
                category = row.category
            cells = [cell(row.entries[column.key], column, table.seeds) for column in table.columns]
            lines.append(" & ".join([rf"\quad {escape(row_label(row))}", *cells]) + r" \\")
    lines += [
        r"\bottomrule",
        r"\end{tabular}}%",
        r"\ifdim\wd0>\linewidth\resizebox{\linewidth}{!}{\usebox0}\else\usebox0\fi",
        *_notes(table.notes),
        rf"\end{{{float_}}}",
    ]
    return "\n".join(lines) + "\n"


def _characters(table: Table) -> int:
    """How wide the table is, about."""
    rows = [row for block in table.blocks for row in block.every_row]
    width = max((len(row_label(row)) for row in rows), default=0) + 2
    for column in table.columns:
        texts = [entry_text(row.entries[column.key], column, table.seeds) for row in rows]
        beside = [reference_text(row.entries[column.key], column) for row in rows]
        letters = [row.entries[column.key].tied for row in rows]
        longest = (sum(map(len, parts)) for parts in zip(texts, beside, letters, strict=True))
        width += max(len(column.title), *longest) + 1
    return width


def _packages(table: Table) -> str:
    return "booktabs,graphicx" + (",siunitx" if table.siunitx else "")


def _alignments(table: Table) -> str:
    """One of each column of figures."""
    if not table.siunitx:
        return "r" * len(table.columns)
    rows = [row for block in table.blocks for row in block.every_row]
    return "".join(
        alignment([row.entries[column.key] for row in rows], column, table.seeds) for column in table.columns
    )


def _notes(notes: list[str]) -> list[str]:
    """A paragraph below the figures."""
    if not notes:
        return []
    text = "; ".join(escape(note) for note in notes)
    return [
        r"\par\vspace{4pt}",
        r"\begin{minipage}{\linewidth}\scriptsize\raggedright",
        rf"\emph{{Notes.}} {text}.",
        r"\end{minipage}",
    ]


def _label(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9-]", "-", name)


def _comment(text: str) -> str:
    return one_line(text).encode("ascii", "replace").decode()


def _header(columns: list[Column], form: str) -> list[str]:
    """One line of titles in this form, above it one of groups with rules where there are any."""
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
    titles = " & ".join(["Method", *(form.format(escape(column.title)) for column in columns)]) + r" \\"
    return [" & ".join(groups) + r" \\", " ".join(rules), titles] if rules else [titles]


def _cell(entry: Entry, column: Column, seeds: int) -> str:
    text = escape(entry_text(entry, column, seeds))
    if entry.rank is not None:
        text = rf"\textbf{{{text}}}" if entry.rank == 1 else rf"\underline{{{text}}}"
    text += rf"\textsuperscript{{{entry.tied}}}" if entry.tied else ""
    reference = reference_text(entry, column)
    return rf"{text} {{\scriptsize {escape(reference)}}}" if reference else text
