"""The processes that train one cell together, as one of them sees it."""

from dataclasses import dataclass
from typing import Any, TypeVar

import torch.distributed
from accelerate import Accelerator
from torch import Tensor

T = TypeVar("T")


@dataclass(frozen=True)
class Team:
    """Which of how many processes this is. All calls are collective: every process makes them in the same order.

    Attributes:
        rank: from 0; the first speaks for all where only one may.
        size: how many there are; alone, every call gives its argument back.
    """

    rank: int = 0
    size: int = 1

    @classmethod
    def of(cls, accelerator: Accelerator) -> "Team":
        """The team that the accelerator has found itself in."""
        return cls(accelerator.process_index, accelerator.num_processes)

    @property
    def is_first(self) -> bool:
        """Whether this process speaks for all."""
        return self.rank == 0

    def sum(self, tensor: Tensor) -> Tensor:
        """The sum of each process's tensor."""
        if self.size > 1:
            tensor = tensor.clone()
            torch.distributed.all_reduce(tensor)
        return tensor

    def agree(self, value: T) -> T:
        """The first process's value, for all."""
        values: list[Any] = [value]
        if self.size > 1:
            torch.distributed.broadcast_object_list(values, src=0)
        agreed: T = values[0]
        return agreed

    def gather(self, value: T) -> list[T]:
        """Each process's value, in the order of their ranks."""
        values: list[Any] = [value] * self.size
        if self.size > 1:
            torch.distributed.all_gather_object(values, value)
        return values


ALONE = Team()
