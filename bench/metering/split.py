"""The measured split of the train peak: the steps that can make it are followed, all others run undisturbed."""

from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict
from typing import Any

import torch
from torch import nn

from bench.metering.storages import StorageTracker
from bench.records.schema import MemorySplit, PhaseMemory


class SplitMeter:
    """Follows some steps storage by storage, and keeps the largest moment of all.

    Attributes:
        parts: at that moment; None before the first step that was followed. The rest is not known here.
        flops_per_token: operations per token, padding included, in the largest step followed; None where none are
            counted.
    """

    def __init__(
        self, model: nn.Module, optimiser: torch.optim.Optimizer, device: torch.device, steps: Collection[int]
    ) -> None:
        """Start with nothing seen.

        Args:
            model: whose steps they are.
            optimiser: over its trained parameters.
            device: where they are.
            steps: the numbers of those to follow, from 1; see `bench.training.largest`.
        """
        self._model, self._optimiser, self._device, self._chosen = model, optimiser, device, steps
        self._peak = self._padded = 0
        self.parts: MemorySplit | None = None
        self.flops_per_token: float | None = None

    def watch(self, step: int, padded: int) -> AbstractContextManager[None] | None:
        """A context that follows the coming step, of `padded` tokens; None: it need not be followed."""
        return self._following(padded) if step in self._chosen else None

    @contextmanager
    def _following(self, padded: int) -> Iterator[None]:
        tracker = StorageTracker(self._device)
        with tracker.watching(self._model, self._optimiser):
            yield
        # Not in a `finally`: a step that was broken off says nothing.
        if tracker.peak > self._peak:
            self._peak, self.parts = tracker.peak, tracker.split
        if tracker.flops and padded > self._padded:
            self._padded, self.flops_per_token = padded, tracker.flops / padded

    def state(self) -> dict[str, Any]:
        """What has been seen, as plain values."""
        parts = None if self.parts is None else asdict(self.parts)
        return {"peak": self._peak, "padded": self._padded, "parts": parts, "flops_per_token": self.flops_per_token}

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from a `state`."""
        self._peak, self._padded, self.flops_per_token = state["peak"], state["padded"], state["flops_per_token"]
        self.parts = None if state["parts"] is None else MemorySplit(**state["parts"])


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
