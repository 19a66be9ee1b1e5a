"""The measured split of the train peak: a few steps are followed storage by storage, all others run undisturbed."""

from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import nn

from bench.metering.storages import StorageTracker
from bench.records.schema import MemorySplit, PhaseMemory

ALWAYS = 2  # steps: the first makes the optimizer's state, the second is the first that has all


class SplitMeter:
    """Follows the first two steps, and later ones that are larger than any before.

    The largest step makes the peak. With batches in random order a new largest one comes ever more rarely: about ln(n)
    times in n steps.

    Attributes:
        parts: at the largest moment of the steps followed; None before the first. The rest is not known here.
        flops_per_token: operations per token, padding included, in the largest step followed; None where none are
            counted.
    """

    def __init__(self, model: nn.Module, optimiser: torch.optim.Optimizer, device: torch.device) -> None:
        self._model, self._optimiser, self._device = model, optimiser, device
        self._steps = self._largest = self._peak = 0
        self.parts: MemorySplit | None = None
        self.flops_per_token: float | None = None

    def watch(self, padded: int) -> AbstractContextManager[Any] | None:
        """A context that follows the coming step of `padded` tokens; None: it need not be followed."""
        self._steps += 1
        if padded <= self._largest and self._steps > ALWAYS:
            return None
        self._largest = max(padded, self._largest)
        return _Followed(self, StorageTracker(self._device), padded)

    def book(self, tracker: StorageTracker, padded: int) -> None:
        """Take note of a step that was followed to its end."""
        if tracker.peak > self._peak:
            self._peak, self.parts = tracker.peak, tracker.split
        if tracker.flops and padded == self._largest:
            self.flops_per_token = tracker.flops / padded

    def watching(self, tracker: StorageTracker) -> AbstractContextManager[StorageTracker]:
        """The tracker, entered."""
        return tracker.watching(self._model, self._optimiser)


class _Followed(AbstractContextManager[None]):
    """One step; booked if it ends without an error."""

    def __init__(self, meter: SplitMeter, tracker: StorageTracker, padded: int) -> None:
        self._meter, self._tracker, self._padded = meter, tracker, padded
        self._watching = meter.watching(tracker)

    def __enter__(self) -> None:
        self._watching.__enter__()

    def __exit__(self, *error: Any) -> None:
        self._watching.__exit__(*error)
        if error[0] is None:
            self._meter.book(self._tracker, self._padded)


def split_of(peak: PhaseMemory, parts: MemorySplit | None) -> MemorySplit | None:
    """The parts of a measured peak: what was not followed (workspaces, fragments, on a CPU the libraries) is the rest.

    None where nothing was followed, or where the parts are more than the peak: then one of them is wrong.
    """
    total = peak.peak_rss if peak.peak_allocated is None else peak.peak_allocated
    if parts is None or total is None:
        return None
    known = {name: size for name, size in vars(parts).items() if name != "rest"}
    rest = total - sum(known.values())
    return None if rest < 0 else MemorySplit(**known, rest=rest)
