"""Time: of optimizer steps alone, and of the phases of a cell."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

WARM_UP_STEPS = 3  # the first steps allocate and tune; percentiles leave them out
UNDISTURBED, FOLLOWED, COMPILING = range(3)  # what else happens in a step

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

    The first steps, those that something else watches at the same time, and those in which a part of the model is
    compiled are slower; they are steps all the same, but the speed and the percentiles leave them out.

    Attributes:
        compiling: seconds of the steps in which the host compiled.
    """

    def __init__(self, device: torch.device, watch: Watch | None = None) -> None:
        """Start with no step.

        Args:
            device: where the steps run.
            watch: asked before each step for a context to run it in; None: undisturbed.
        """
        self.compiling = 0.0
        self._cuda = device.type == "cuda"
        self._watch = watch
        self._seconds: list[float] = []
        self._events: list[tuple[torch.cuda.Event, torch.cuda.Event]] = []
        self._sizes: list[list[int]] = []  # of each step: tokens, padded tokens, what else happened

    @contextmanager
    def step(self, tokens: int, padded: int = 0) -> Iterator[None]:
        """Measure one optimizer step over `tokens` tokens, `padded` with padding."""
        watched = self._watch(len(self._sizes) + 1, padded) if self._watch is not None else None
        self._sizes.append([tokens, padded, UNDISTURBED if watched is None else FOLLOWED])
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

    def compiled(self, seconds: float) -> None:
        """Take note that the host has compiled for so long in the step that is being measured."""
        self.compiling += seconds
        self._sizes[-1][2] = COMPILING

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
        """The steps after warm-up that nothing disturbed; where there is none, all these; else those only watched.

        None of those in which something was compiled: where there are no others, they are no steps, of no seconds.
        """
        for kind, warm_up in ((UNDISTURBED, WARM_UP_STEPS), (UNDISTURBED, 0)):
            if (steps := self._together(kind, warm_up)).count:
                return steps
        return self.watched()

    def watched(self) -> Steps:
        """All steps that something watched."""
        return self._together(FOLLOWED)

    def with_compiling(self) -> Steps:
        """All steps in which something was compiled."""
        return self._together(COMPILING)

    def _together(self, kind: int, warm_up: int = 0) -> Steps:
        measured = list(zip(self.seconds(), self._sizes, strict=True))[warm_up:]
        kept = [(seconds, size) for seconds, size in measured if size[2] == kind]
        tokens, padded = (sum(size[index] for _, size in kept) for index in range(2))
        return Steps(len(kept), sum(seconds for seconds, _ in kept), tokens, padded)

    def percentiles(self) -> tuple[float | None, float | None]:
        """Median and 95th percentile of the undisturbed steps after warm-up; None where there are none."""
        steady = list(zip(self.seconds(), self._sizes, strict=True))[WARM_UP_STEPS:]
        return percentiles([seconds for seconds, size in steady if not size[2]], warm_up=0)

    def state(self) -> dict[str, Any]:
        """What has been measured, as plain values; waits for the device once."""
        return {"seconds": self.seconds(), "sizes": self._sizes, "compiling": self.compiling}

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from a `state`."""
        self._seconds, self._sizes = list(state["seconds"]), [list(size) for size in state["sizes"]]
        self.compiling = state.get("compiling", 0.0)


def percentiles(seconds: list[float], warm_up: int = WARM_UP_STEPS) -> tuple[float | None, float | None]:
    """Median and 95th percentile of the steps after warm-up; None where there are none."""
    steady = seconds[warm_up:]
    if not steady:
        return None, None
    return float(np.percentile(steady, 50)), float(np.percentile(steady, 95))
