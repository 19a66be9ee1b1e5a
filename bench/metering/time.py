"""Time: of optimizer steps alone, and of the phases of a cell."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

WARM_UP_STEPS = 3  # the first steps allocate, tune and compile; percentiles leave them out


Watch = Callable[[int, int], AbstractContextManager[Any] | None]  # which step, of how many tokens with padding


@dataclass(frozen=True)
class Steps:
    """Several optimizer steps together. Tokens without padding; `padded` with it."""

    count: int
    seconds: float
    tokens: int
    padded: int


class StepClock:
    """Measures optimizer steps without waiting for the device: CUDA events there, a monotonic clock on a CPU.

    The first steps, and those that something else watches at the same time, are slower; they are steps all the same,
    but the speed and the percentiles leave them out.
    """

    def __init__(self, device: torch.device, watch: Watch | None = None) -> None:
        """Start with no step.

        Args:
            device: where the steps run.
            watch: asked before each step for a context to run it in; None: undisturbed.
        """
        self._cuda = device.type == "cuda"
        self._watch = watch
        self._seconds: list[float] = []
        self._events: list[tuple[torch.cuda.Event, torch.cuda.Event]] = []
        self._sizes: list[list[int]] = []  # of each step: tokens, padded tokens, whether it was watched

    @contextmanager
    def step(self, tokens: int, padded: int = 0) -> Iterator[None]:
        """Measure one optimizer step over `tokens` tokens, `padded` with padding."""
        watched = self._watch(len(self._sizes) + 1, padded) if self._watch is not None else None
        self._sizes.append([tokens, padded, int(watched is not None)])
        with watched or nullcontext():
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

    @property
    def tokens(self) -> int:
        """In all steps, without padding."""
        return sum(tokens for tokens, _, _ in self._sizes)

    def seconds(self) -> list[float]:
        """Seconds of every step so far; waits for the device once."""
        if self._cuda:
            torch.cuda.synchronize()
            self._seconds += [begin.elapsed_time(end) / 1000 for begin, end in self._events]
            self._events.clear()
        return self._seconds

    def undisturbed(self) -> Steps:
        """The steps after warm-up that nothing watched; where there is none, all that nothing watched; or all."""
        for watched, warm_up in ((False, WARM_UP_STEPS), (False, 0)):
            if (steps := self._together(watched, warm_up)).count:
                return steps
        return self._together(watched=True)

    def watched(self) -> Steps:
        """All steps that something watched."""
        return self._together(watched=True)

    def _together(self, watched: bool, warm_up: int = 0) -> Steps:
        measured = list(zip(self.seconds(), self._sizes, strict=True))[warm_up:]
        kept = [(seconds, size) for seconds, size in measured if size[2] == watched]
        tokens, padded = (sum(size[index] for _, size in kept) for index in range(2))
        return Steps(len(kept), sum(seconds for seconds, _ in kept), tokens, padded)

    def percentiles(self) -> tuple[float | None, float | None]:
        """Median and 95th percentile of the undisturbed steps after warm-up; None where there are none."""
        steady = list(zip(self.seconds(), self._sizes, strict=True))[WARM_UP_STEPS:]
        return percentiles([seconds for seconds, size in steady if not size[2]], warm_up=0)

    def state(self) -> dict[str, Any]:
        """What has been measured, as plain values; waits for the device once."""
        return {"seconds": self.seconds(), "sizes": self._sizes}

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from a `state`."""
        self._seconds, self._sizes = list(state["seconds"]), [list(size) for size in state["sizes"]]


def percentiles(seconds: list[float], warm_up: int = WARM_UP_STEPS) -> tuple[float | None, float | None]:
    """Median and 95th percentile of the steps after warm-up; None where there are none."""
    steady = seconds[warm_up:]
    if not steady:
        return None, None
    return float(np.percentile(steady, 50)), float(np.percentile(steady, 95))
