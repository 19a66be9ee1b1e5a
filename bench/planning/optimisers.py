"""Optimisers on fake tensors: torch's own, and the memory of bitsandbytes', whose kernels take no fake tensors."""

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import torch

from bench.configuration.schema import Optimiser, TrainingConfig
from bench.metering.storages import StorageTracker
from bench.training.optimiser_kinds import BLOCK, EIGHT_BIT, EIGHT_BIT_FROM, PAGED, build

PAGED_FROM = 100_000  # values; bitsandbytes pages the state of parameters this large out, optim/optimizer.py
CODES = 256  # values of an 8-bit type's table, in fp32; one table for each moment, of all parameters together


class BitsAndBytes(torch.optim.Optimizer):
    """State of the sizes of bitsandbytes' optimisers, made in the first step; its updates work in place."""

    def __init__(self, groups: list[dict[str, Any]], kind: Optimiser, tracker: StorageTracker, *, pages: bool) -> None:
        super().__init__(groups, {})
        self._tracker, self._pages = tracker, pages
        self._tables: tuple[torch.Tensor, ...] = ()
        self._moments = ("state1",) if kind == Optimiser.lion else ("state1", "state2")
        self._eight_bit = kind in EIGHT_BIT

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Make the state of parameters that have none yet, and change each by its gradient."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                if parameter not in self.state:
                    self._begin(parameter)
                with torch.no_grad():
                    parameter.add_(parameter.grad.to(parameter.dtype))

    def _begin(self, parameter: torch.nn.Parameter) -> None:
        small = self._eight_bit and parameter.numel() >= EIGHT_BIT_FROM
        with ExitStack() as stack:
            if self._pages and parameter.numel() >= PAGED_FROM:  # in managed memory, which is none of the allocator's
                stack.enter_context(self._tracker.uncounted())
            kind = torch.uint8 if small else torch.float32
            state = {key: torch.zeros_like(parameter, dtype=kind) for key in self._moments}
        if small:
            scales = -(-parameter.numel() // BLOCK)
            self._tables = self._tables or tuple(torch.zeros(CODES, device=parameter.device) for _ in self._moments)
            state |= {f"absmax{key}": torch.zeros(scales, device=parameter.device) for key in self._moments}
            state |= {f"qmap{key}": table for key, table in zip(self._moments, self._tables, strict=True)}
        self.state[parameter] = state


def planned(
    device: str, tracker: StorageTracker
) -> Callable[[list[dict[str, Any]], TrainingConfig, Optimiser], torch.optim.Optimizer]:
    """What makes the optimiser of a plan, as `bench.training.optimiser_kinds.build` makes that of a cell.

    Args:
        device: "cuda" or "cpu": whose memory it is.
        tracker: the plan's account.
    """

    def make(groups: list[dict[str, Any]], training: TrainingConfig, kind: Optimiser) -> torch.optim.Optimizer:
        paged = kind in PAGED and device == "cuda"
        if kind in EIGHT_BIT or kind == Optimiser.lion or paged:
            return BitsAndBytes(groups, kind, tracker, pages=paged)
        return build(groups, training, kind)

    return make
