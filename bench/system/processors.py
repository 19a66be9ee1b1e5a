"""The processors that this process may use."""

import os


def processors() -> int:
    """How many there are for this process: a scheduler may have given it a few of the machine's."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
