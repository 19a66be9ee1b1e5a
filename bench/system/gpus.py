"""The machine's GPUs, found without starting CUDA: a process that started CUDA cannot be forked."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pynvml

VISIBLE = "CUDA_VISIBLE_DEVICES"
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
