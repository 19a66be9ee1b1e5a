"""A plan in the terminal."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.configuration.cell import Cell
from bench.planning.plan import CONTEXT, UNUSED, PlannedCell
from bench.planning.predict import device_of
from bench.system.console import print_whole
from bench.tables.formats.numbers import count_text, number_text

PARTS = {
    "frozen_weights": "Frozen", "trainable_weights": "Trainable", "gradients": "Gradients",
    "optimiser_state": "Optimiser", "activations": "Activations", "rest": "Rest",
}  # fmt: skip
FITS = "fits: beside {:.1f} GB for CUDA's own context, and {:.0%} that the allocator cannot use"
NOTE = "predicted peak of training in {} and its parts; the largest batch that the settings allow"


@dataclass(frozen=True)
class Scale:
    """The units of a plan, the same in every row."""

    unit: str
    size: float
    words: str
    operations: str
    operation: float


LARGE = Scale("GB", 1e9, "GB (10⁹ bytes)", "TFLOP/step", 1e12)
SMALL = Scale("MB", 1e6, "MB (10⁶ bytes)", "GFLOP/step", 1e9)  # where no cell reaches a gigabyte


def scale_of(largest: int) -> Scale:
    """The units for sizes of up to `largest` bytes."""
    return SMALL if largest < LARGE.size else LARGE


def size_text(size: int, scale: Scale) -> str:
    """Bytes in the scale's unit, without its name."""
    return number_text(size / scale.size, scale.unit, 2)


def name_of(cell: Cell) -> str:
    """A cell as a plan calls it."""
    return f"{cell.model} {cell.task} {cell.method}"


def show(planned: Sequence[PlannedCell], console: Console) -> None:
    """Print one row per cell; below, why cells have no prediction, and what helps those that do not fit."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False, show_edge=False)
    peaks = [cell.prediction.peak for cell in planned if cell.prediction is not None]
    scale = scale_of(max(peaks)) if peaks else LARGE
    fits = any(cell.fits is not None for cell in planned)
    for name in ("Model", "Task", "Method"):
        table.add_column(name, no_wrap=True)
    for name in ("# Params", f"Peak {scale.unit}", *PARTS.values(), scale.operations, *(["Fits"] if fits else [])):
        table.add_column(name, justify="right", no_wrap=True)
    for cell in planned:
        table.add_row(*map(Text, _row(cell, scale)))
    print_whole(table, console)
    on_gpu = fits and any(device_of(cell.cell) == "cuda" for cell in planned)
    room = [FITS.format(CONTEXT / 1e9, UNUSED)] if on_gpu else []
    for note in (NOTE.format(scale.words), *room, *_notes(planned, scale)):
        console.print(Text(f"  {note}", style="dim"), soft_wrap=not console.is_terminal)


def _row(planned: PlannedCell, scale: Scale) -> list[str]:
    names = [planned.cell.model, planned.cell.task, planned.cell.method]
    known = planned.prediction
    if known is None:
        return [*names, *["—"] * (3 + len(PARTS))]
    sizes = [size_text(size, scale) for size in (known.peak, *(getattr(known.parts, part) for part in PARTS))]
    row = [*names, count_text(known.parameters.trainable), *sizes, f"{known.flops / scale.operation:.2f}"]
    return row if planned.fits is None else [*row, "yes" if planned.fits else "no"]


def _notes(planned: Sequence[PlannedCell], scale: Scale) -> list[str]:
    notes = []
    for cell in planned:
        name = name_of(cell.cell)
        if cell.reason is not None:
            notes.append(f"{name}: {cell.reason}")
        if cell.note is not None:
            notes.append(cell.note)
        for remedy in cell.help:
            settings = " ".join(f"{key}={_word(value)}" for key, value in remedy.settings.items())
            ending = "" if remedy.fits else ", which is not enough either"
            size = f"{size_text(remedy.peak, scale)} {scale.unit}"
            notes.append(f"{name} would take {size} with {settings}{ending}; it costs {remedy.costs}")
        if cell.fits is False and not cell.help:
            notes.append(f"{name}: nothing that was tried helps")
    return list(dict.fromkeys(notes))


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
