"""Device-hours of cells before they run: by what cells like them took, else by their operations.

A forecast by operations takes a share of the GPU's peak for granted, leaves evaluation and loading out, and takes every
text to be of full length. Records are better, and come first.
"""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench.configuration.cell import Cell
from bench.errors import unknown_name
from bench.records.schema import Record, Status
from bench.sweeping.cost import Costs, tokens
from bench.system.terminal import say

UTILISATION = 0.3  # of the peak: an assumption, too much for small models; records have what was reached
USUAL = "A100"  # where this machine has no GPU whose peak is published


@dataclass(frozen=True)
class Speed:
    """What operations are reckoned with.

    Attributes:
        gpu: a product of `bench.metering.utilisation.PEAKS`; None: this machine's, else `USUAL`.
        utilisation: the share of its peak that is reached.
    """

    gpu: str | None = None
    utilisation: float = UTILISATION

    def named(self) -> "Speed":
        """The same with a GPU's name.

        Raises:
            UserError: a GPU whose peak is not known.
        """
        import torch

        from bench.configuration.schema import Precision
        from bench.metering.utilisation import PEAKS, peak_of

        if self.gpu is not None:
            if peak_of(self.gpu, Precision.fp32) is None:
                raise unknown_name("gpu", self.gpu, PEAKS)
            return self
        here = torch.cuda.get_device_name() if torch.cuda.is_available() else ""
        return Speed(here if peak_of(here, Precision.fp32) else USUAL, self.utilisation)

    def seconds(self, operations: float, cell: Cell) -> float | None:
        """What operations of a cell take; None where the GPU has no published peak in the cell's precision."""
        from bench.metering.utilisation import peak_of

        peak = peak_of(self.gpu or USUAL, cell.training.precision)
        return None if peak is None else operations / (peak * self.utilisation)


@dataclass(frozen=True)
class Hours:
    """A forecast.

    Attributes:
        measured: hours by records of cells of the same model and task, of the same method where there are any.
        counted: hours by operations.
        unknown: cells of which neither tells.
        reason: why not, of the first.
        speed: what operations were reckoned with; None: none were.
    """

    measured: float = 0.0
    counted: float = 0.0
    unknown: int = 0
    reason: str = ""
    speed: Speed | None = None

    def __str__(self) -> str:
        """In a line."""
        parts = [f"{self.measured:.3g} by the records of such cells"] if self.measured else []
        if self.speed is not None and self.counted:
            where = f"{self.speed.gpu} at {self.speed.utilisation:g} of its peak"
            parts.append(f"{self.counted:.3g} by counted operations on {where}, training alone (gpu=, utilisation=)")
        known = f"about {self.measured + self.counted:.3g} device-hours: {', '.join(parts)}" if parts else ""
        lacking = f"not known of {self.unknown} cells: {self.reason}" if self.unknown else ""
        return "; ".join(part for part in (known, lacking) if part) or "nothing is left to run"


def costs_of(found: Iterable[tuple[Cell, Record | None]]) -> Costs:
    """What finished cells took."""
    costs = Costs()
    for cell, record in found:
        if record is not None and record.status == Status.done and record.time.total:
            costs.observe(cell, record.time.total)
    return costs


def hours(cells: Sequence[Cell], costs: Costs, speed: Speed) -> Hours:
    """What cells will take, one after the other.

    Args:
        cells: that are to be run.
        costs: of those that were.
        speed: for kinds of cells of which none was.

    Raises:
        UserError: a GPU whose peak is not known.
    """
    measured = sum(costs.seconds(cell) or 0.0 for cell in cells if costs.knows(cell))
    others = [cell for cell in cells if not costs.knows(cell)]
    if not others:
        return Hours(measured / 3600)
    speed = speed.named()
    known = _operations(others)
    counted, lacking = 0.0, []
    for cell in others:
        per_token = known[_kind(cell)]
        taken = per_token if isinstance(per_token, str) else speed.seconds(per_token * tokens(cell), cell)
        if isinstance(taken, float):
            counted += taken
        else:
            lacking.append(taken or f"{speed.gpu} has no published peak in {cell.training.precision}")
    return Hours(measured / 3600, counted / 3600, len(lacking), lacking[0] if lacking else "", speed)


def _operations(cells: Sequence[Cell]) -> dict[tuple[str, ...], float | str]:
    """Operations per token of training for each kind of cell, as `bench plan` counts them; else why not."""
    from bench.planning.plan import plan

    first: dict[tuple[str, ...], Cell] = {}
    for cell in cells:
        first.setdefault(_kind(cell), cell)
    say(f"counting the operations of {len(first)} methods on models, seconds each", sys.stderr)
    found: dict[tuple[str, ...], float | str] = {}
    for kind, planned in zip(first, plan(first.values()), strict=True):
        training = planned.cell.training
        here = training.batch_size * training.max_length
        found[kind] = (planned.reason or "") if planned.prediction is None else planned.prediction.flops / here
    return found


def _kind(cell: Cell) -> tuple[str, ...]:
    """Cells of one kind do as much for a token; tasks of one class differ in how many tokens they have."""
    return cell.model, cell.method, str(cell.config["task"].get("_target_"))
