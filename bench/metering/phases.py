"""The phases of a cell's life (load, prepare_data, train, evaluate): seconds and peak memory of each.

A phase that is interrupted by another (training by an evaluation) keeps its own time and its own peak: the counters
are read and reset whenever the phase changes.
"""

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from bench.metering.memory import device_total, larger, peak_and_reset
from bench.metering.split import split_of
from bench.records.schema import Memory, MemorySplit, PhaseMemory


class PhaseMeter:
    """Attributes time and memory to the innermost open phase."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._open: list[str] = []
        self._since = time.perf_counter()
        self.train_parts: MemorySplit | None = None  # what the steps that were followed held at their largest moment
        self.last = "start"  # the phase entered last; where an error happened
        self.peaks: dict[str, PhaseMemory] = {}
        self.seconds: dict[str, float] = defaultdict(float)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Attribute what happens within the block to the phase `name`. Phases may be nested and entered again."""
        self.book()
        self._open.append(name)
        self.last = name
        yield
        # Not in a `finally`: after an error `last` still says where it happened, and nothing is measured any more.
        self.book()
        self._open.pop()
        self.last = self._open[-1] if self._open else name

    def memory(self) -> Memory:
        """The record's part."""
        measure = "cuda" if self._device.type == "cuda" else "rss"
        split = split_of(self.peaks.get("train", PhaseMemory()), self.train_parts)
        return Memory(measure, self.peaks, train_peak_split=split, device_total=device_total(self._device))

    def book(self) -> None:
        """Book what the open phase has used since the last time, and start anew; resets the device's peak."""
        peak = peak_and_reset(self._device)
        now = time.perf_counter()
        if self._open:
            name = self._open[-1]
            self.peaks[name] = larger(self.peaks.get(name, PhaseMemory()), peak)
            self.seconds[name] += now - self._since
        self._since = now
