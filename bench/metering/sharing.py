"""How many cells share this process's GPU, or this machine where there is none: their times interfere."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bench.system.gpu_places import place_on
from bench.system.terminal import say

if TYPE_CHECKING:
    import torch

VARIABLE = "BENCH_SHARING"  # in the environment, so that the processes of a cell of several know it too


def share(cells: int) -> None:
    """Say how many cells run at the same time; called by whoever launches them."""
    os.environ[VARIABLE] = str(cells)


def sharing() -> int:
    """Cells that run at the same time, this one included."""
    return int(os.environ.get(VARIABLE, "1"))


@contextmanager
def place(device: "torch.device") -> Iterator[None]:
    """Within the block, no more cells are on this process's GPU than are meant to be, whoever started them."""
    if device.type != "cuda":
        yield
        return
    import torch

    properties = torch.cuda.get_device_properties(device)
    words = f"bench: another cell is on {properties.name}; waiting until it has ended"
    with place_on(str(properties.uuid), sharing(), lambda: say(words, sys.stderr)):
        yield
