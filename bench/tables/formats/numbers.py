"""How numbers and entries are written; shared by all formats, which only escape and decorate."""

import math

from bench.tables.definition.table import Column, Entry

STATUS_TEXT = {
    "missing": "—",
    "failed": "failed",
    "out_of_memory": "OOM",
    "unsupported": "n/a",
    "incomplete": "—",
    "not_measured": "—",
}


def number_text(value: float, unit: str, digits: int) -> str:
    """A number in its unit: `91.20`, `884.7k` for a count.

    A share or size that would round to zero and is none is `<0.01`, or `>−0.01` below zero.
    """
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if unit == "count":
        return count_text(value).replace("-", "−")
    if abs(value) >= 1e7:
        return f"{value:.2e}".replace("-", "−")
    if unit in {"percent", "GB", "MB"} and 0 < abs(value) < 0.5 * 10**-digits:
        return f"{'<' if value > 0 else '>−'}{10**-digits:.{digits}f}"
    text = f"{value:.{digits}f}"
    if float(text) == 0:
        text = text.lstrip("-")
    return text.replace("-", "−")


def count_text(value: float) -> str:
    """A count of parameters: exact below 10,000, then in thousands, millions, billions (US)."""
    for limit, unit, suffix, digits in ((1e4, 1, "", 0), (1e6, 1e3, "k", 1), (1e9, 1e6, "M", 2)):
        if round(abs(value) / unit, digits) * unit < limit:  # as it is written: 999,960 is 1.00M, not 1000.0k
            return f"{value / unit:,.{digits}f}{suffix}"
    return f"{value / 1e9:.2f}B"


def entry_text(entry: Entry, column: Column, seeds: int) -> str:
    """An entry without its marks: `91.20 ± 0.31`, `91.20 ± 0.31 (2/3)` with a seed missing, `OOM`, `—`.

    Args:
        entry: what to write.
        column: where it stands.
        seeds: how many seeds the table's entries usually have; another number is added to the entry.
    """
    if entry.value is None:
        return STATUS_TEXT[entry.status]
    text = number_text(entry.value, column.unit, column.digits)
    if not entry.expected:
        return text  # a count, which no seed changes
    if not column.score:
        pass  # measurements hardly differ between seeds
    elif entry.interval is not None:
        low, high = (number_text(bound, column.unit, column.digits) for bound in entry.interval)
        text += f" [{low}, {high}]"
    elif entry.deviation is not None:
        text += f" ± {number_text(entry.deviation, column.unit, column.digits)}"
    if entry.seeds < entry.expected:
        text += f" ({entry.seeds}/{entry.expected})"
    elif entry.seeds != seeds:
        text += f" (n={entry.seeds})"
    if entry.p_value is not None and entry.p_value < 0.05:
        text += "*"
    return text


def reference_text(entry: Entry, column: Column) -> str:
    """The survey's value and ours against it: `90.00 (+1.20)`; empty where it is not known."""
    if entry.reference is None:
        return ""
    text = number_text(entry.reference, column.unit, column.digits)
    if entry.value is None or not math.isfinite(entry.value):
        return text
    difference = number_text(entry.value - entry.reference, column.unit, column.digits)
    return f"{text} ({'' if difference[0] in '−<>' else '+'}{difference})"
