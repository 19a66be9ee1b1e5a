"""What a cell's trackers are told: settings, losses, rates, evaluations, memory; at last what the record says."""

from collections.abc import Mapping

import psutil
import torch

from bench.records.schema import Record
from bench.running.run import Run


def start_trackers(run: Run) -> None:
    """Begin, in the first of a team's processes."""
    if run.team.is_first:
        run.trackers.start(run.cell, run.warn)
    _together(run)


def log_step(run: Run, step: int, loss: float, optimiser: torch.optim.Optimizer) -> None:
    """A reading of the losses: after it, rates are those of the next step; memory is what is taken now, in bytes."""
    if run.trackers.are_there:
        run.trackers.log({"train/loss": loss, **rates(optimiser), **memory_now(run.device)}, step, run.warn)
    _together(run)


def log_evaluation(run: Run, step: int, scores: Mapping[str, float]) -> None:
    """An evaluation along training."""
    if run.trackers.are_there:
        run.trackers.log({f"evaluation/{name}": score for name, score in scores.items()}, step, run.warn)
    _together(run)


def finish_trackers(run: Run) -> None:
    """Hand on what the record says in the end, and end the runs; nothing of it can change what was measured."""
    if not run.trackers.are_there:
        return
    run.trackers.log(closing(run.record), run.record.time.steps or 0, run.warn)
    run.trackers.finish(run.warn)
    run.record.environment["trackers"] = run.trackers.told()


def rates(optimiser: torch.optim.Optimizer) -> dict[str, float]:
    """The learning rate; where groups have several, each by the one that it started from."""
    found = {group.get("initial_lr", group["lr"]): float(group["lr"]) for group in optimiser.param_groups}
    if len(found) == 1:
        return {"train/learning_rate": next(iter(found.values()))}
    return {f"train/learning_rate/{first:g}": rate for first, rate in found.items()}


def memory_now(device: torch.device) -> dict[str, float]:
    """Bytes: what CUDA's allocator has handed out and holds, else the process's resident set; waits for nothing."""
    if device.type != "cuda":
        return {"memory/resident": psutil.Process().memory_info().rss}
    held = torch.cuda.memory_reserved(device)
    return {"memory/allocated": torch.cuda.memory_allocated(device), "memory/reserved": held}


def closing(record: Record) -> dict[str, float | None]:
    """Of a record: scores, peaks in bytes, times in seconds, counts of parameters."""
    values: dict[str, float | None] = {}
    if record.metrics is not None:
        values |= {f"score/{name}": value for name, value in record.metrics.values.items()}
    if record.memory is not None:
        for name, peak in record.memory.phases.items():
            measured = peak.peak_rss if record.memory.measure == "rss" else peak.peak_allocated
            values[f"memory/{name}_peak"] = measured
    time = record.time
    values |= {"time/train": time.train, "time/evaluate": time.evaluate, "time/total": time.total}
    values |= {"time/step_p50": time.step_p50, "time/tokens_per_second": time.tokens_per_second}
    if record.parameters is not None:
        values["parameters/trainable"] = record.parameters.trainable
    return values


def _together(run: Run) -> None:
    """Let a team wait for the first process here: what it waits for elsewhere would count as time of its steps."""
    if run.cell.config.get("tracker"):
        run.team.agree(None)
