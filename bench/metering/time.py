"""Time: of optimizer steps alone, and of the phases of a cell."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

WARM_UP_STEPS = 3  # the first steps allocate, tune and compile; percentiles leave them out


class StepClock:
    """Measures optimizer steps without waiting for the device: CUDA events there, a monotonic clock on a CPU."""

    def __init__(self, device: torch.device) -> None:
        self._cuda = device.type == "cuda"
        self._seconds: list[float] = []
        self._events: list[tuple[torch.cuda.Event, torch.cuda.Event]] = []
        self.tokens = 0  # in the steps measured, without padding

    @contextmanager
    def step(self, tokens: int) -> Iterator[None]:
        """Measure one optimizer step over `tokens` tokens."""
        self.tokens += tokens
        if self._cuda:
            begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            begin.record()
            yield
            end.record()
            self._events.append((begin, end))
        else:
            start = time.perf_counter()
            yield
            self._seconds.append(time.perf_counter() - start)

    def seconds(self) -> list[float]:
        """Seconds of every step so far; waits for the device once."""
        if self._cuda:
            torch.cuda.synchronize()
            self._seconds += [begin.elapsed_time(end) / 1000 for begin, end in self._events]
            self._events.clear()
        return self._seconds

    def state(self) -> dict[str, Any]:
        """What has been measured, as plain values; waits for the device once."""
        return {"seconds": self.seconds(), "tokens": self.tokens}

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from a `state`."""
        self._seconds, self.tokens = list(state["seconds"]), state["tokens"]


def percentiles(seconds: list[float]) -> tuple[float | None, float | None]:
    """Median and 95th percentile of the steps after warm-up; None where there are none."""
    steady = seconds[WARM_UP_STEPS:]
    if not steady:
        return None, None
    return float(np.percentile(steady, 50)), float(np.percentile(steady, 95))
