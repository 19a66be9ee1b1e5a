r"""Entries for siunitx's columns, whose points stand below each other; what is no number is braced.

Written for its version 3 (2021). Figures are set as text, so that the best can be bold and the second best italic: a
line below would hide the point from siunitx.
"""

import re
from collections.abc import Iterable

from bench.tables.definition.table import Column, Entry
from bench.tables.formats.latex_text import escape
from bench.tables.formats.numbers import entry_text, reference_text

SETUP = r"\sisetup{mode=text,reset-text-series=false,reset-text-shape=false,separate-uncertainty=true}"
# A number, perhaps its deviation, and what stands behind: a unit, how many seeds, a mark.
NUMBER = re.compile(r"(−?)([\d,]+)(?:\.(\d+))?(?: ± ([\d.]+))?(.*)")
COMMAND = re.compile(r"\\[a-z]+|[{}]")  # what takes no room
FACES = {1: r"\bfseries ", 2: r"\itshape "}


def aligned(entry: Entry, column: Column, seeds: int) -> str:
    r"""An entry in a column of `alignment`: `\bfseries 91.20 +- 0.31{\textsuperscript{a}}`, `{1.02M}`, `{OOM}`."""
    face, found, behind = FACES.get(entry.rank or 0, ""), _number(entry, column, seeds), _behind(entry, column, seeds)
    if found is None:
        return f"{{{face}{escape(entry_text(entry, column, seeds))}{behind}}}"
    sign, whole, digits, deviation, _ = found.groups()
    number = f"{'-' if sign else ''}{whole.replace(',', '')}" + (f".{digits}" if digits else "")
    number += f" +- {deviation}" if deviation else ""
    return face + number + (f"{{{behind}}}" if behind else "")


def alignment(entries: Iterable[Entry], column: Column, seeds: int) -> str:
    """The column's `S[…]`: room for the longest number, its deviation and what stands behind it; `r` for counts."""
    wholes, digits, deviations, behind, signed = 0, 0, 0, "", False
    for entry in entries:
        found = _number(entry, column, seeds)
        if found is None:
            continue
        signed |= bool(found[1])
        wholes, digits = max(wholes, len(found[2].replace(",", ""))), max(digits, len(found[3] or ""))
        deviations = max(deviations, len((found[4] or "").replace(".", "").lstrip("0")))
        behind = max(behind, _behind(entry, column, seeds), key=lambda text: len(COMMAND.sub("", text)))
    if not wholes:
        return "r"
    form = f"{'-' if signed else ''}{wholes}" + (f".{digits}" if digits else "")
    form += f"({deviations})" if deviations else ""
    return f"S[table-format={form}" + (f",table-space-text-post={{{behind}}}]" if behind else "]")


def _number(entry: Entry, column: Column, seeds: int) -> re.Match[str] | None:
    """The parts of an entry that has a point to align; counts have none, 8,192 and 1.02M being in other units."""
    return None if column.unit == "count" else NUMBER.fullmatch(entry_text(entry, column, seeds))


def _behind(entry: Entry, column: Column, seeds: int) -> str:
    """What follows the number: the rest of its text, letters, and others' figure."""
    found = _number(entry, column, seeds)
    rest = "" if found is None else "~" * found[5].startswith(" ") + escape(found[5])
    letters = rf"\textsuperscript{{{entry.tied}}}" if entry.tied else ""
    reference = reference_text(entry, column)
    return rest + letters + (rf" {{\scriptsize {escape(reference)}}}" if reference else "")
