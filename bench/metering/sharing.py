"""How many cells share this process's GPU, or this machine where there is none: their times interfere."""

import os

VARIABLE = "BENCH_SHARING"  # in the environment, so that the processes of a cell of several know it too


def share(cells: int) -> None:
    """Say how many cells run at the same time; called by whoever launches them."""
    os.environ[VARIABLE] = str(cells)


def sharing() -> int:
    """Cells that run at the same time, this one included."""
    return int(os.environ.get(VARIABLE, "1"))
