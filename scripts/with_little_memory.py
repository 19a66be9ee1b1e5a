"""Run a `bench` command with less memory than the machine has, to see what becomes of a cell that does not fit.

    python -m scripts.with_little_memory MEGABYTES run on_oom=shrink key=value …

On a GPU, PyTorch's allocator gives out MEGABYTES (10⁶ bytes) and no more. On a CPU the process may add so many to the
addresses that it holds once the heavy libraries are imported; its threads' own addresses count too, so there it is
less than it says. Either way it is the allocator that refuses. The exit code is that of the command.
"""

import resource
import sys
from pathlib import Path

import torch

import bench.system.quiet  # noqa: F401  # before the libraries that it silences
from bench.cli.commands import run_command


def main(arguments: list[str]) -> int:
    """Limit this process and run the command in it; returns the command's exit code, 2 for a wrong call."""
    if len(arguments) < 2 or not arguments[0].isdecimal():
        print("with_little_memory: MEGABYTES COMMAND [key=value …]", file=sys.stderr)
        return 2
    limit(int(arguments[0]) * 10**6)
    return run_command(arguments[1:])


def limit(size: int) -> None:
    """Let this process have `size` bytes: of the first GPU's memory, or of new addresses where there is no GPU."""
    if torch.cuda.is_available():
        torch.cuda.set_per_process_memory_fraction(min(1.0, size / torch.cuda.get_device_properties(0).total_memory))
        return
    import peft  # noqa: F401  # what a cell imports is not to be counted

    import bench.running.attempt  # noqa: F401

    held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (held + size, resource.getrlimit(resource.RLIMIT_AS)[1]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
