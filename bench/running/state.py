"""The state of a training between two steps: all that a resumed cell needs to end like an uninterrupted one."""

import platform
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import torch
from torch import Tensor, nn

from bench.metering.memory import larger
from bench.metering.split import SplitMeter
from bench.metering.time import StepClock
from bench.methods.base import Method
from bench.methods.trainable import trainable_parameters
from bench.models.sharded import gathered, like
from bench.records.schema import Metrics, PhaseMemory
from bench.running.run import Run
from bench.running.scores import Best
from bench.training.arithmetic import Arithmetic
from bench.training.checkpoint import Checkpoints, Content
from bench.training.interruption import Interruption
from bench.training.losses import Losses
from bench.training.optimiser import load_state
from bench.training.random_state import load_random_state, random_state


@dataclass(kw_only=True)
class TrainingState:
    """What changes while a cell is trained; the position in the data is the number of steps done."""

    run: Run
    model: nn.Module
    method: Method
    optimiser: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    losses: Losses
    clock: StepClock
    split: SplitMeter | None
    best: Best
    arithmetic: Arithmetic

    def save_if_due(self, step: int, *, checkpoints: Checkpoints, interruption: Interruption) -> None:
        """After a step: write a checkpoint if it is time or somebody asks, then give way to a signal that waited.

        A team asks its first process whether it is time, which takes a while; only where the losses are read.
        """
        team = self.run.team
        if team.size > 1 and self.losses.means and self.losses.means[-1]["step"] != step:
            return
        if team.agree(interruption.wanted() or checkpoints.due(self._size)):
            with self.run.meter.phase("checkpoint"):
                content = self.content(step)
                if team.is_first:
                    checkpoints.write(content)
        interruption.give_way()

    def content(self, step: int) -> Content:
        """All of it after optimizer step `step`; of tensors that are spread, only the first process has them.

        Raises:
            TrainingDivergedError: a loss is not finite.
        """
        losses, metrics = self.losses.state(), self._metrics
        tensors: dict[str, Tensor] = {}
        state, first = self.method.checkpoint_state(self.model), self.run.team.is_first
        tensors |= _prefixed("model", {name: gathered(tensor, first) for name, tensor in state.items()})
        best_tensors, best = self.best.state()
        random = self.run.team.gather(random_state(self.run.device))
        tensors |= _prefixed("best", best_tensors)
        for rank, (random_tensors, _) in enumerate(random):
            tensors |= _prefixed(f"random.{rank}", random_tensors)
        plain = {
            "optimiser": take_tensors(self.optimiser.state_dict(), "optimiser", tensors, keep=first),
            "schedule": take_tensors(self.schedule.state_dict(), "schedule", tensors, keep=first),
            "losses": losses, "clock": self.clock.state(), "best": best, "random": [plain for _, plain in random],
            "arithmetic": self.arithmetic.state(),
            "split": None if self.split is None else self.split.state(),
            "curve": metrics.curve, "notes": metrics.notes,
            "seconds": dict(self.run.meter.seconds), "total": self._earlier + time.perf_counter() - self.run.begin,
            "peaks": {name: asdict(peak) for name, peak in self.run.meter.peaks.items()},
            "shrunk": self.run.record.environment["shrunk"],
            "resumed": self.run.record.environment.get("resumed", []),
        }  # fmt: skip
        return Content(step, tensors, plain)

    def load(self, content: Content) -> None:
        """Put everything back but the model, whose state has to be there before the optimiser is made."""
        plain, metrics = content.plain, self._metrics
        load_state(self.optimiser, self._own_part(put_tensors(plain["optimiser"], content.tensors)))
        self.schedule.load_state_dict(put_tensors(plain["schedule"], content.tensors))
        self.losses.load_state(plain["losses"])
        self.clock.load_state(plain["clock"])
        self.arithmetic.load_state(plain["arithmetic"])
        if self.split is not None and plain.get("split") is not None:
            self.split.load_state(plain["split"])
        self.best.load_state(content.below("best"), plain["best"])
        metrics.curve[:] = plain["curve"]
        metrics.notes.update(plain["notes"])
        for name, seconds in plain["seconds"].items():
            self.run.meter.seconds[name] += seconds
        for name, peak in plain["peaks"].items():
            self.run.meter.peaks[name] = larger(self.run.meter.peaks.get(name, PhaseMemory()), PhaseMemory(**peak))
        self.run.record.time.total = plain["total"]
        now = {"step": content.step, "time": datetime.now(UTC).isoformat(), "host": platform.node()}
        self.run.record.environment["resumed"] = [*plain["resumed"], now]
        rank = self.run.team.rank
        if rank < len(plain["random"]):  # else there are more processes than there were
            load_random_state(self.run.device, content.below(f"random.{rank}"), plain["random"][rank])

    def _own_part(self, optimiser_state: dict[str, Any]) -> dict[str, Any]:
        """Of an optimiser's state, this process's part of the tensors that are shaped like a parameter."""
        parameters = [parameter for group in self.optimiser.param_groups for parameter in group["params"]]
        for index, values in optimiser_state["state"].items():
            for name, value in values.items():
                if isinstance(value, Tensor) and value.shape == parameters[index].shape:
                    values[name] = like(parameters[index], value)
        return optimiser_state

    @property
    def _metrics(self) -> Metrics:
        assert self.run.record.metrics is not None
        return self.run.record.metrics

    @property
    def _earlier(self) -> float:
        """Seconds of the attempts before this one."""
        return self.run.record.time.total or 0.0

    def _size(self) -> int:
        """About how many bytes a checkpoint takes: parameters, and twice that for Adam's moments."""
        return 3 * sum(p.numel() * p.element_size() for _, p in trainable_parameters(self.model))


def take_tensors(value: Any, name: str, tensors: dict[str, Tensor], keep: bool = True) -> Any:
    """Put the whole tensors within dictionaries, lists and tuples into `tensors`; what is left is fit for JSON.

    Args:
        value: any nesting of them, with plain values; keys of dictionaries are strings or integers.
        name: of the place, the beginning of the tensors' names.
        tensors: takes them.
        keep: whether this process wants those that are spread over several; all have to ask.
    """
    if isinstance(value, Tensor):
        tensors[name] = gathered(value, keep)
        return {"tensor": name}
    if isinstance(value, dict):
        return {"dict": [[key, take_tensors(item, f"{name}.{key}", tensors, keep)] for key, item in value.items()]}
    if isinstance(value, list | tuple):
        kind = "list" if isinstance(value, list) else "tuple"
        return {kind: [take_tensors(item, f"{name}.{index}", tensors, keep) for index, item in enumerate(value)]}
    return value


def put_tensors(plain: Any, tensors: dict[str, Tensor]) -> Any:
    """The inverse of `take_tensors`."""
    if not isinstance(plain, dict):
        return plain
    ((kind, content),) = plain.items()
    if kind == "tensor":
        return tensors[content]
    if kind == "dict":
        return {key: put_tensors(item, tensors) for key, item in content}
    items = [put_tensors(item, tensors) for item in content]
    return items if kind == "list" else tuple(items)


def _prefixed(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"{prefix}.{name}": tensor for name, tensor in tensors.items()}
