"""Waiting for processes as long as they get on: a busy machine is slow, only one that stands still is stuck."""

import time
from collections.abc import Callable, Hashable
from typing import TypeVar

T = TypeVar("T")

STILL = 180.0  # seconds without any progress, after which nothing more is expected


def wait_for(ended: Callable[[], T], progress: Callable[[], Hashable] = lambda: None, why: str = "waited in vain") -> T:
    """Ask `ended` until it says something.

    Args:
        ended: asked ten times a second; anything true is the answer.
        progress: how far they are; whenever this changes, patience begins anew.
        why: said when it is at an end.
    """
    seen, since = progress(), time.monotonic()
    while not (answer := ended()):
        if (now := progress()) != seen:
            seen, since = now, time.monotonic()
        assert time.monotonic() - since < STILL, f"{why}; the last seen: {seen}"
        time.sleep(0.1)
    return answer
