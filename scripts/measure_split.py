"""What measuring costs: the same trainings with the memory's split and without it, taking turns in one run.

    python scripts/measure_split.py [--models roberta t5 llama] [--steps 60 300] [--rounds 5]

The miniature's models with LoRA on the CPU: `time.train` of whole cells, and of each step the median over the rounds,
so that the steps that were followed are held against the same steps, of the same batches, where they were not. Each
round has two trainings without the split, which tell how much of a difference is noise. What the clock itself takes is
measured on empty steps. The last line is with over without the split in speed, all models and lengths together, each
step at its median: 1 is free.
"""

import argparse
import statistics
import tempfile
import time
from typing import Any
from unittest.mock import patch

import torch

from bench.configuration.compose import Configurations
from bench.metering.time import StepClock
from bench.running.runner import run_cell

TASKS = {"roberta": "sst2", "t5": "wmt16", "llama": "mmlu"}
EMPTY_STEPS = 10_000


class _Clock(StepClock):
    """The clock of the cell that was run last."""

    last: StepClock

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        _Clock.last = self


def main() -> None:
    """Measure each model and length, and print."""
    options = arguments()
    torch.set_num_threads(options.threads)
    patch("bench.running.fitting.StepClock", _Clock).start()
    totals = [compare(model, steps, options.rounds) for model in options.models for steps in options.steps]
    with_split, without = (sum(side) for side in zip(*totals, strict=True))
    print(f"ratio: {without / with_split:.3f}")


def compare(model: str, steps: int, rounds: int) -> tuple[float, float]:
    """One model's trainings of so many steps; returns the seconds with and without the split, each step's median."""
    sides: list[list[list[float]]] = [[], [], []]  # with, without, without again; trainings, each its steps' seconds
    for number in range(rounds + 1):
        for side in range(3) if number % 2 else reversed(range(3)):
            seconds = train(model, steps, split=side == 0)
            if number:  # the first round warms all up
                sides[side].append(seconds)
            if side == 0:
                followed = [index for index, size in enumerate(_Clock.last.state()["sizes"]) if size[2]]
    with_split, *without = ([statistics.median(step) for step in zip(*side, strict=True)] for side in sides)
    usual = [statistics.mean(step) for step in zip(*without, strict=True)]
    total, clock = sum(usual), seconds_of_clock()
    times = [f"{1000 * with_split[index]:.1f} ms in place of {1000 * usual[index]:.1f}" for index in followed]
    extra = sum(with_split[index] - usual[index] for index in followed)
    print(
        f"{model}, {steps} steps: {sum(with_split):.2f} s with the split, {sum(without[0]):.2f} s and "
        f"{sum(without[1]):.2f} s without\n"
        f"  followed: {', '.join(times)}; {100 * extra / total:+.2f} % of the training\n"
        f"  the clock, split or not: {1e6 * clock:.1f} µs a step, {100 * clock * steps / total:.3f} %",
        flush=True,
    )
    return sum(with_split), total


def train(model: str, steps: int, split: bool) -> list[float]:
    """Run a cell; returns the seconds of its optimizer steps."""
    with tempfile.TemporaryDirectory() as folder, Configurations() as configurations:
        cell = configurations.cell(
            [f"model=miniature/{model}", f"task=miniature/{TASKS[model]}", "method=lora", "device=cpu",
             f"training.max_steps={steps}", "training.epochs=100", "data.limit_evaluation=8", "training.evaluations=1",
             f"memory_split={split}", f"results_dir={folder}"]
        )  # fmt: skip
        record, _ = run_cell(cell)
    assert record.time.steps == steps, record.error
    return list(_Clock.last.seconds())


def seconds_of_clock() -> float:
    """A step in which nothing happens."""
    clock = StepClock(torch.device("cpu"))
    start = time.perf_counter()
    for _ in range(EMPTY_STEPS):
        with clock.step(tokens=1, padded=1):
            pass
    return (time.perf_counter() - start) / EMPTY_STEPS


def arguments() -> argparse.Namespace:
    """What the user asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=list(TASKS), default=list(TASKS))
    parser.add_argument("--steps", nargs="+", type=int, default=[60, 300])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1, help="of torch")
    return parser.parse_args()


if __name__ == "__main__":
    main()
