"""Device-hours before anything runs: by records of such cells, else by operations."""

import pytest

from bench.errors import UserError
from bench.records.schema import CellIdentity, Record, Status, Time
from bench.sweeping.cost import tokens
from bench.sweeping.hours import Speed, costs_of, hours


@pytest.fixture
def cells(compose):
    words = ["model=miniature/roberta", "task=miniature/sst2"]
    return {name: compose(*words, f"method={name}") for name in ("full", "lora")}


def took(cell, seconds, status=Status.done):
    return cell, Record(CellIdentity.of(cell), status, {}, time=Time(total=seconds))


def test_records_of_the_same_kind_are_what_a_forecast_goes_by(cells):
    costs = costs_of([took(cells["lora"], 1800.0), took(cells["lora"], 5400.0)])
    found = hours([cells["lora"]] * 3, costs, Speed())
    assert found.measured == pytest.approx(3.0)
    assert found.counted == 0
    assert str(found) == "about 3 device-hours: 3 by the records of such cells"


def test_those_of_other_methods_count_by_their_work_where_there_are_no_others(cells):
    found = hours([cells["full"], cells["lora"]], costs_of([took(cells["full"], 3600.0)]), Speed())
    assert found.measured == pytest.approx(1 + 4 / 6), "no gradients of the frozen weights"


def test_what_was_never_run_goes_by_its_operations_and_it_is_said(cells, compose):
    elsewhere = compose("model=miniature/roberta", "task=miniature/cola", "method=lora")
    costs = costs_of([took(elsewhere, 3600.0), took(cells["lora"], 9.0, Status.failed)])
    found = hours([cells["lora"], elsewhere], costs, Speed("H100", 0.1))
    at_twice = hours([cells["lora"], elsewhere], costs, Speed("H100", 0.2))
    assert found.measured == pytest.approx(1.0)
    assert found.counted > 0
    assert at_twice.counted == pytest.approx(found.counted / 2)
    # Forward and backward, with no gradients of the weights themselves: from 4 operations a parameter and token on.
    parameters = 3600 * found.counted * 0.1 * 66.9e12 / tokens(cells["lora"]) / 4
    assert 1e4 < parameters < 1e7
    assert "1 by the records of such cells" in str(found)
    assert "by counted operations on H100 at 0.1 of its peak, training alone (gpu=, utilisation=)" in str(found)


def test_what_is_not_known_is_said(cells, monkeypatch):
    monkeypatch.setattr("bench.sweeping.hours._operations", lambda cells: dict.fromkeys(map(kind, cells), "gated"))
    from bench.sweeping.hours import _kind as kind

    found = hours([cells["lora"]] * 2, costs_of([]), Speed("A100"))
    assert str(found) == "not known of 2 cells: gated"
    assert str(hours([], costs_of([]), Speed())) == "nothing is left to run"


def test_a_gpu_without_a_published_peak_is_refused(cells):
    with pytest.raises(UserError, match="unknown gpu 'H1000'; did you mean H100"):
        hours([cells["lora"]], costs_of([]), Speed("H1000"))
