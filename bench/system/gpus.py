"""The machine's GPUs, found without starting CUDA: a process that started CUDA cannot be forked."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pynvml

VISIBLE = "CUDA_VISIBLE_DEVICES"
ALLOCATOR = ("PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF")  # its settings; the first is the newer name
DRIVER = Path("/proc/driver/nvidia/gpus")


def visible_gpus() -> list[str]:
    """The GPUs that a process may use, as CUDA_VISIBLE_DEVICES names them: what the user lets be seen, else all."""
    chosen = chosen_gpus()
    return [str(index) for index in range(_count())] if chosen is None else chosen


def chosen_gpus() -> list[str] | None:
    """What CUDA_VISIBLE_DEVICES lets be seen; none where it is empty; None where it is not set."""
    chosen = os.environ.get(VISIBLE)
    return None if chosen is None else [name for name in chosen.split(",") if name.strip() not in ("", "-1")]


def _count() -> int:
    """By NVIDIA's management library, which is also where /proc says nothing: in containers, in WSL."""
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:  # no driver, or one without its library
        return len([*DRIVER.glob("*")])
    try:
        return int(pynvml.nvmlDeviceGetCount())
    finally:
        pynvml.nvmlShutdown()


def settle_allocator() -> None:
    """Let CUDA's allocator grow its blocks, unless the user has settings of his own.

    Lengths vary from batch to batch: blocks of fixed sizes are left over between them, and a cell that fits runs out of
    memory. To be called before a process first uses CUDA; has no effect where there is none.
    """
    if not any(name in os.environ for name in ALLOCATOR):
        os.environ[ALLOCATOR[0]] = "expandable_segments:True"


@contextmanager
def without_gpus() -> Iterator[None]:
    """Within the block, let a fork server that is started see no GPU: a process that started CUDA cannot be forked."""
    hidden = {VISIBLE: "", "PYTORCH_NVML_BASED_CUDA_CHECK": "1"}
    before = {key: os.environ.get(key) for key in hidden}
    os.environ.update(hidden)
    try:
        yield
    finally:
        for key, value in before.items():
            if value is None:
                del os.environ[key]
            else:
                os.environ[key] = value
