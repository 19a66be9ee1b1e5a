"""What one attempt at a cell has at hand, from its first phase to its record."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from accelerate import Accelerator

from bench.configuration.cell import Cell
from bench.distributed.team import Team
from bench.metering.phases import PhaseMeter
from bench.records.schema import Record
from bench.system.terminal import warn
from bench.tracking.trackers import Trackers

Report = Callable[[str, int, int, float | None], None]  # phase, step, steps in all, loss


def silent(phase: str, step: int, total: int, loss: float | None) -> None:
    """A report that nobody reads."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """One attempt.

    Attributes:
        cell: what is run.
        folder: where its files go.
        accelerator: the device and its precision.
        meter: takes time and memory of the phases.
        record: filled in on the way.
        report: told about the progress.
        begin: `time.perf_counter()` at the start.
        trackers: told about the losses and scores.
    """

    cell: Cell
    folder: Path
    accelerator: Accelerator
    meter: PhaseMeter
    record: Record
    report: Report
    begin: float
    trackers: Trackers = field(default_factory=Trackers)

    def warn(self, text: str) -> None:
        """Say something that a reader of the scores ought to know, now and in the record; one line, each once."""
        if text not in self.record.warnings:
            self.record.warnings.append(text)
            if self.team.is_first:
                warn(text)

    @property
    def team(self) -> Team:
        """The processes that run this cell together."""
        return Team.of(self.accelerator)

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        device = self.accelerator.device
        assert isinstance(device, torch.device)
        return device
