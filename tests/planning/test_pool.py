"""Predictions in several processes."""

import multiprocessing
import os
from dataclasses import dataclass

import pytest

from bench.planning.plan import plan, to_json
from bench.planning.pool import WORTH, Predictions

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
    with Predictions(cells, predict, workers) as known:
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
    assert not Predictions(dict.fromkeys("abcd", Asked(1)), squared, 2)._others
    assert len(Predictions({str(n): Asked(n) for n in range(MANY)}, squared, 2)._others) == 1


@pytest.mark.slow
def test_a_plan_of_several_processes_is_that_of_one(compose):
    named = [(m, b) for m in ("full", "lora", "mam", "bitfit") for b in (1, 2, 3, 4)]
    cells = [
        compose("model=miniature/roberta", "task=miniature/sst2", f"method={m}", f"training.batch_size={b}")
        for m, b in named
    ]
    begun = []
    alone = to_json(plan(cells, predicting=begun.append))
    assert to_json(plan(cells, workers=2)) == alone
    assert begun == cells
