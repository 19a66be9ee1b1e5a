"""Whose time and whose memory it was."""

import time

import pytest
import torch

from bench.metering.phases import PhaseMeter
from bench.metering.time import StepClock, percentiles

MEGABYTE = 2**20


@pytest.fixture
def meter():
    return PhaseMeter(torch.device("cpu"))


def test_an_interrupted_phase_does_not_count_the_interruption(meter):
    with meter.phase("train"):
        time.sleep(0.05)
        with meter.phase("evaluate"):
            time.sleep(0.2)
        time.sleep(0.05)
    assert 0.1 <= meter.seconds["train"] < 0.19
    assert 0.2 <= meter.seconds["evaluate"] < 0.29


def test_a_phase_that_is_entered_again_adds_up(meter):
    for _ in range(2):
        with meter.phase("load"):
            time.sleep(0.05)
    assert 0.1 <= meter.seconds["load"] < 0.19


def test_a_large_evaluation_does_not_raise_the_train_peak(meter):
    with meter.phase("train"), meter.phase("evaluate"):
        block = bytearray(256 * MEGABYTE)
        del block
    if meter.peaks["train"].peak_rss is None:
        pytest.skip("this system does not let a process reset its high-water mark")
    assert meter.peaks["evaluate"].peak_rss - meter.peaks["train"].peak_rss > 200 * MEGABYTE


def test_an_error_leaves_the_phase_it_happened_in(meter):
    with pytest.raises(KeyError), meter.phase("train"), meter.phase("evaluate"):
        raise KeyError
    assert meter.last == "evaluate"


def test_the_speed_is_that_of_the_steps_after_warm_up_or_of_all_where_there_are_no_others():
    clock = StepClock(torch.device("cpu"))
    counts = []
    for index in range(5):
        with clock.step(tokens=10):
            time.sleep(0.2 if index < 3 else 0.01)
        counts.append(clock.undisturbed().count)
    assert counts == [1, 2, 3, 1, 2]
    assert clock.undisturbed().seconds < 0.2


def test_what_was_booked_within_a_phase_stays_its_peak(meter):
    with meter.phase("inference"):
        block = bytearray(256 * MEGABYTE)
        del block
        meter.book()
    if meter.peaks["inference"].peak_rss is None:
        pytest.skip("this system does not let a process reset its high-water mark")
    with meter.phase("load"):
        pass
    assert meter.peaks["inference"].peak_rss - meter.peaks["load"].peak_rss > 200 * MEGABYTE


def test_the_clock_measures_steps_and_nothing_between_them():
    clock = StepClock(torch.device("cpu"))
    for _ in range(5):
        with clock.step(tokens=10):
            time.sleep(0.01)
        time.sleep(0.05)  # slow data preparation
    assert len(clock.seconds()) == 5
    assert 0.05 <= sum(clock.seconds()) < 0.15
    assert clock.tokens == 50


def test_percentiles_leave_out_the_warm_up():
    assert percentiles([9.0, 9.0, 9.0, 1.0, 1.0, 1.0]) == (1.0, 1.0)
    assert percentiles([9.0]) == (None, None)
