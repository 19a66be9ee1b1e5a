"""A real step of training on the CPU, and what PyTorch's own allocator says of it."""

from contextlib import nullcontext
from typing import Any

import torch

from bench.configuration.cell import Cell
from bench.configuration.compose import build
from bench.metering.phases import PhaseMeter
from bench.metering.storages import StorageTracker
from bench.metering.time import StepClock
from bench.methods.base import Method
from bench.models.head import head_parameters
from bench.running.preparation import load_adapted, prepare
from bench.tasks.build import task_from
from bench.training.loop import batches_of, gradients_of, train
from bench.training.losses import Losses
from bench.training.optimiser import make_optimiser, make_schedule
from tests.metering.allocator import allocator_peak

CPU = torch.device("cpu")


class RealTraining:
    """A cell's training phase, as the runner does it: loaded, adapted, two optimizer steps on full-length batches."""

    def __init__(self, cell: Cell) -> None:
        self.cell, self.training = cell, cell.training
        self.method = build(cell.config["method"], Method)
        self.prepared = prepare(cell, task_from(cell.config["task"]), self.method, PhaseMeter(CPU), CPU)
        model, self.parameters = load_adapted(cell, self.method, self.prepared)
        self.arithmetic = self.prepared.arithmetic
        self.model = self.arithmetic.wrap(model)

    def run(self, tracker: StorageTracker | None = None) -> Any:
        """Train; returns the optimizer, whose state is there afterwards."""
        model, training, setting = self.model, self.training, self.prepared.setting

        def steps() -> Any:
            return batches_of(self.prepared.data.train, self.prepared.batching, training, 0, pin=False)

        with tracker or nullcontext():
            self.method.prepare(model, lambda: gradients_of(model, iter([next(steps())]), self.arithmetic))
        head = {name for name, _ in head_parameters(model, setting.structure)}
        optimiser = make_optimiser(model, self.method, head, training)
        with tracker.watching(model, optimiser) if tracker else nullcontext():
            train(
                model, self.method, steps(), optimiser=optimiser,
                schedule=make_schedule(optimiser, training, setting.total_steps), training=training, total_steps=2,
                family=setting.family, arithmetic=self.arithmetic, clock=StepClock(CPU), losses=Losses(),
                evaluate=lambda _: None, progress=lambda *_: None, checkpoint=lambda _: None,
            )  # fmt: skip
        return optimiser

    def allocator_peak(self) -> int:
        """Bytes at the largest moment, of all that `run` and what the model holds before it take."""
        held = StorageTracker(CPU)
        held.hold(self.model)
        return allocator_peak(self.run, held.total)
