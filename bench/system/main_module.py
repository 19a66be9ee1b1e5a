"""The program that uses the harness, kept out of the processes that the harness starts."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

MAIN = "__main__"


@contextmanager
def without_main() -> Iterator[None]:
    """Let processes that are started within the block not import the main program again.

    Python does that for functions of the program's own, and a script without `if __name__ == "__main__"` would begin
    anew in each process. What ours are given to do is in this package.
    """
    main = sys.modules[MAIN]
    sys.modules[MAIN] = ModuleType(MAIN)
    try:
        yield
    finally:
        sys.modules[MAIN] = main
