"""The training losses: they stay on the device until they are read, at logging intervals."""

import math
from typing import Any

import torch
from torch import Tensor

from bench.distributed.team import ALONE, Team


class TrainingDivergedError(Exception):
    """The loss became NaN or infinite."""


class Losses:
    """One loss per optimizer step; each process of a team adds its share.

    Attributes:
        means: the readings so far, each {"step", "loss"}: the mean since the one before.
    """

    def __init__(self, team: Team = ALONE) -> None:
        self._team = team
        self.means: list[dict[str, float]] = []
        self._unread: list[Tensor] = []
        self._read_at = 0  # the step of the last reading

    def add(self, loss: Tensor) -> None:
        """Take note of a step's loss, a scalar that may still be on its way."""
        self._unread.append(loss)

    def read(self) -> float:
        """Fetch what has been added, and append its mean to `means`; waits for the device.

        Raises:
            TrainingDivergedError: one of them is not finite.
        """
        values = self._values()
        self._read_at += len(values)
        mean = sum(values) / len(values)
        self.means.append({"step": self._read_at, "loss": mean})
        self._unread.clear()
        return mean

    def state(self) -> dict[str, Any]:
        """Everything, as plain values; waits for the device and for the team.

        Raises:
            TrainingDivergedError: a loss is not finite, so nothing is worth keeping.
        """
        return {"means": self.means, "unread": self._values(), "read_at": self._read_at}

    def load_state(self, state: dict[str, Any]) -> None:
        """Put a `state` back."""
        self.means[:] = state["means"]
        # What is kept is the sum of all shares; the first process takes it over.
        self._unread = [torch.tensor(value if self._team.is_first else 0.0) for value in state["unread"]]
        self._read_at = state["read_at"]

    def _values(self) -> list[float]:
        shares = [loss.to(self._unread[-1].device) for loss in self._unread]
        values = [float(value) for value in self._team.sum(torch.stack(shares)).cpu().tolist()] if shares else []
        for step, value in enumerate(values, start=self._read_at + 1):
            if not math.isfinite(value):
                raise TrainingDivergedError(f"the loss became {value} at step {step}")
        return values
