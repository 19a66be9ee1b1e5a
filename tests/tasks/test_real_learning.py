"""A small pretrained encoder learns real GLUE tasks, as docs/experiments.md says. Minutes, and only where both are."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.configuration.cell import Cell
from bench.records.schema import Status
from bench.running.runner import run_cell

BACKBONE = os.environ.get("BENCH_TEST_ENCODER")
MAJORITY = {"cola": 0.0, "sst2": 444 / 872, "mrpc": 279 / 408, "rte": 146 / 277}
RATE = {"full": 1e-4, "lora": 1e-3}


@pytest.mark.slow
@pytest.mark.skipif(BACKBONE is None, reason="BENCH_TEST_ENCODER names no folder with a pretrained encoder")
@pytest.mark.parametrize("method", RATE)
@pytest.mark.parametrize("task", MAJORITY)
def test_it_beats_the_majority_class(task: str, method: str, real_data: Path, compose: Callable[..., Cell]) -> None:
    cell = compose(
        "model=encoder", f"model.path={BACKBONE}", f"task=glue/{task}", f"data.root={real_data}", f"method={method}",
        f"training.learning_rate={RATE[method]}", "training.epochs=3", "training.batch_size=16", "training.warmup=0.06",
        "data.limit_train=4000",
    )  # fmt: skip
    record, _ = run_cell(cell)
    assert record.status == Status.done, record.error
    assert record.metrics is not None
    assert record.metrics.values[record.metrics.main] > MAJORITY[task]
