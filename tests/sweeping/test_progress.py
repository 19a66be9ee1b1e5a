"""What a sweep says of itself where nobody watches."""

from io import StringIO

import pytest
from rich.console import Console

from bench.records.schema import CellIdentity, Failure, Metrics, Record, Status, Time
from bench.sweeping.cost import Costs
from bench.sweeping.progress import CellProgress


def record(cell, seconds=None, message=None):
    error = None if message is None else Failure("RuntimeError", message, "", "train")
    status = Status.done if message is None else Status.failed
    metrics = Metrics("accuracy", {"accuracy": 0.5})
    return Record(CellIdentity.of(cell), status, {}, error, metrics, time=Time(total=seconds))


def test_each_cell_has_a_line_with_the_remaining_time_and_failures_are_listed_at_the_end(compose, tmp_path):
    out = StringIO()
    cells = [compose(f"seed={seed}") for seed in range(4)]
    with CellProgress(4, Console(file=out), workers=2) as progress:
        for cell in cells:
            progress.expect(cell)
        progress.update(cells[0].id, "train", 1, 10, 0.5)
        progress.finish(cells[0].id, record(cells[0], seconds=100.0))
        progress.finish(cells[1].id, record(cells[1], message="no [bracket]\nmore"), tmp_path / "log.txt")
        progress.finish(cells[2].id, record(cells[2], seconds=200.0))
        progress.finish(cells[3].id, record(cells[3], seconds=100.0))
        progress.summarise()
    assert out.getvalue().splitlines() == [
        f"[1/4] done {cells[0].id}  accuracy 0.5  100.0 s  about 0:02:30 left",
        f"[2/4] failed {cells[1].id}  RuntimeError: no [bracket]  about 0:01:40 left",
        f"[3/4] done {cells[2].id}  accuracy 0.5  200.0 s  about 0:01:15 left",
        f"[4/4] done {cells[3].id}  accuracy 0.5  100.0 s",
        "1 of 4 cells failed:",
        f"  failed {cells[1].id}  RuntimeError: no [bracket]",
        f"    log: {tmp_path / 'log.txt'}",
    ]


def test_the_longest_cell_comes_first(compose):
    short = compose("training.max_steps=5")
    long = compose("training.max_steps=50")
    base = compose("model=roberta_base", "task=glue/rte", "method=lora", "training.epochs=1")
    large = compose("model=roberta_large", "task=glue/rte", "method=lora", "training.epochs=1")
    assert Costs().longest_first([short, base, long, large]) == [large, base, long, short]


def test_what_cells_took_counts_more_than_what_they_do(compose):
    costs = Costs()
    slow, fast = compose("method=prompt_tuning", "training.max_steps=5"), compose("method=lora", "training.max_steps=5")
    costs.observe(slow, 60.0)
    costs.observe(fast, 1.0)
    assert costs.seconds(compose("method=lora", "training.max_steps=10")) == pytest.approx(2.0)
    another = compose("method=ia3", "training.max_steps=5")
    assert costs.seconds(another) == pytest.approx(30.5), "as other methods on this task"
    assert costs.longest_first([fast, slow]) == [slow, fast]


def test_without_any_record_the_time_is_not_known(compose):
    assert Costs().seconds(compose()) is None
