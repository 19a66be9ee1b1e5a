"""What tests of whole cells share: the runner on the stand-in."""

import pytest
from accelerate import Accelerator, PartialState
from accelerate.state import AcceleratorState

from bench.running import runner
from tests.device.standin import DEVICE


@pytest.fixture
def on_the_device(monkeypatch):
    """From now on cells run on the stand-in: the runner's accelerator finds it as it would find a GPU."""

    def accelerator(cell):
        AcceleratorState._reset_state(reset_partial_state=True)
        return Accelerator()

    def move():
        monkeypatch.setattr(PartialState, "default_device", property(lambda self: DEVICE))
        monkeypatch.setattr(runner, "_accelerator", accelerator)

    monkeypatch.setattr("bench.running.overhead.WARM_UP", 0)
    monkeypatch.setattr("bench.running.overhead.PASSES", 1)  # nobody reads the seconds
    yield move
    AcceleratorState._reset_state(reset_partial_state=True)
