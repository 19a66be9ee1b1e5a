"""Processes of a sweep, for tests that end some and look for others."""

import time
from collections.abc import Callable
from contextlib import suppress

import psutil

from bench.records.owner import start_of

BUSY = 60.0  # seconds that a machine with other work may take for anything


def family(pid: int) -> dict[int, str | None]:
    """A process and its descendants, each with the time of its start: numbers are given out again."""
    try:
        members = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return {}
    return {member.pid: start_of(member.pid) for member in members}


def ended(processes: dict[int, str | None]) -> bool:
    """Whether all of them have ended."""
    return not any(start is not None and start_of(pid) == start for pid, start in processes.items())


def until(condition: Callable[[], object], seconds: float = BUSY) -> None:
    """Wait for something that is certain to come, if not when; folders may vanish while they are looked through."""
    end = time.monotonic() + seconds
    while True:
        with suppress(FileNotFoundError):
            if condition():
                return
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)
