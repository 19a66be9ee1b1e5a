"""Predictions in several processes."""

import multiprocessing
import os
import subprocess
import sys
from dataclasses import dataclass

import pytest

from bench.planning.plan import plan, to_json
from bench.planning.pool import WORTH, Predictions, beside

MANY = 4 * WORTH


@dataclass
class Asked:
    """Stands in for a cell."""

    number: int


def is_elsewhere():
    return multiprocessing.parent_process() is not None


def squared(asked):
    return asked.number**2


def killed_elsewhere(asked):
    if is_elsewhere():
        os._exit(9)
    return asked.number


def refused(asked):
    raise ValueError(asked.number)


def all_of(predict, workers, count=MANY):
    cells = {str(number): Asked(number) for number in range(count)}
    with beside(count, workers, __name__) as others, Predictions(cells, predict, others) as known:
        return [known.of(key, cell) for key, cell in cells.items()]


@pytest.mark.parametrize("workers", [1, 3])
def test_all_are_made_whoever_makes_them(workers):
    assert all_of(squared, workers) == [number**2 for number in range(MANY)]


def test_what_a_process_was_at_when_it_died_is_made_here():
    assert all_of(killed_elsewhere, workers=2) == list(range(MANY))


def test_what_a_prediction_raises_is_raised():
    with pytest.raises(ValueError, match="0"):
        all_of(refused, workers=2)


def test_what_was_not_asked_for_at_the_start_is_made_when_it_is():
    with Predictions({"2": Asked(2)}, squared) as known:
        assert known.of("3", Asked(3)) == 9
        assert known.of("2", Asked(2)) == 4


def test_few_predictions_start_no_process():
    for count, started in ((WORTH, 0), (WORTH + 1, 1), (MANY, 1)):
        with beside(count, 2, __name__) as others:
            assert len(others) == started


def test_the_others_are_started_without_torch():
    modules = "bench.planning.pool, bench.cli.plan_settings, bench.sweeping.sweeper"
    subprocess.run([sys.executable, "-c", f"import sys, {modules}; assert 'torch' not in sys.modules"], check=True)


@pytest.mark.slow
def test_a_plan_of_several_processes_is_that_of_one(compose):
    named = [(m, b) for m in ("full", "lora", "mam", "bitfit") for b in (1, 2, 3, 4)]
    cells = [
        compose("model=miniature/roberta", "task=miniature/sst2", f"method={m}", f"training.batch_size={b}")
        for m, b in named
    ]
    begun = []
    alone = to_json(plan(cells, predicting=begun.append))
    with beside(len(cells), 2, plan.__module__) as others:
        assert to_json(plan(cells, others=others)) == alone
    assert begun == cells
