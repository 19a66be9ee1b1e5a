"""A plan in the terminal."""

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.planning.plan import PlannedCell
from bench.tables.numbers import count_text, number_text

PARTS = {
    "frozen_weights": "Frozen", "trainable_weights": "Trainable", "gradients": "Gradients",
    "optimiser_state": "Optimiser", "activations": "Activations", "rest": "Rest",
}  # fmt: skip
NOTE = "predicted peak of training in GB (10⁹ bytes) and its parts; the largest batch that the settings allow"


def show(planned: Sequence[PlannedCell], console: Console) -> None:
    """Print one row per cell; below, why cells have no prediction, and what helps those that do not fit."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False, show_edge=False)
    fits = any(cell.fits is not None for cell in planned)
    for name in ("Model", "Task", "Method"):
        table.add_column(name, no_wrap=True)
    for name in ("# Params", "Peak GB", *PARTS.values(), "TFLOP/step", *(["Fits"] if fits else [])):
        table.add_column(name, justify="right", no_wrap=True)
    for cell in planned:
        table.add_row(*map(Text, _row(cell)))
    width = console.width
    if not console.is_terminal:
        console.width = 400  # in a pipe the width means nothing
    console.print(table)
    console.width = width
    for note in (NOTE, *_notes(planned)):
        console.print(Text(f"  {note}", style="dim"), soft_wrap=not console.is_terminal)


def _row(planned: PlannedCell) -> list[str]:
    names = [planned.cell.model, planned.cell.task, planned.cell.method]
    known = planned.prediction
    if known is None:
        return [*names, *["—"] * (3 + len(PARTS))]
    gigabytes = [_gigabytes(size) for size in (known.peak, *(getattr(known.parts, part) for part in PARTS))]
    row = [*names, count_text(known.parameters.trainable), *gigabytes, f"{known.flops / 1e12:.2f}"]
    return row if planned.fits is None else [*row, "yes" if planned.fits else "no"]


def _notes(planned: Sequence[PlannedCell]) -> list[str]:
    notes = []
    for cell in planned:
        name = f"{cell.cell.model} {cell.cell.task} {cell.cell.method}"
        if cell.reason is not None:
            notes.append(f"{name}: {cell.reason}")
        for remedy in cell.help:
            settings = " ".join(f"{key}={_word(value)}" for key, value in remedy.settings.items())
            ending = "" if remedy.fits else ", which is not enough either"
            notes.append(f"{name} would take {_gigabytes(remedy.peak)} GB with {settings}{ending}")
        if cell.fits is False and not cell.help:
            notes.append(f"{name}: nothing that was tried helps")
    return list(dict.fromkeys(notes))


def _gigabytes(size: int) -> str:
    return number_text(size / 1e9, "GB", 2)


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
