"""What a cell ran on, so that a reader can judge its figures and run it again."""

import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import torch

from bench.identity.libraries import libraries
from bench.metering.sharing import sharing
from bench.system.gpus import ALLOCATOR

LIBRARIES = ("torch", "transformers", "peft", "accelerate", "datasets", "bitsandbytes", "bench")
OTHERS = 1_500_000_000  # bytes in use at the start that no CUDA context of ours alone explains


def environment(device: torch.device) -> dict[str, Any]:
    """Accelerator, driver, processor, how many cells share them, library versions, git state and host."""
    cuda = device.type == "cuda"
    return {
        "accelerator": torch.cuda.get_device_name(device) if cuda else None,
        "driver": _driver() if cuda else None,
        "cuda": torch.version.cuda if cuda else None,
        "cuda_settings": _settings(device) if cuda else None,
        "cpu": _processor(),
        "threads": torch.get_num_threads(),
        "sharing": sharing(),
        "python": platform.python_version(),
        # Torch says itself which build it is, such as 2.11.0+cu130.
        "libraries": {name: libraries()[name] for name in LIBRARIES} | {"torch": torch.__version__},
        "git": _git(),
        "host": platform.node(),
    }


def _settings(device: torch.device) -> dict[str, Any]:
    """What chooses kernels and blocks of memory, and how many bytes of the device's memory were free and used."""
    free, total = torch.cuda.mem_get_info(device)
    return {
        "matmul_precision": torch.get_float32_matmul_precision(),
        "tf32_in_cudnn": torch.backends.cudnn.allow_tf32,
        "cudnn_benchmark": torch.backends.cudnn.benchmark,
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "allocator": next((os.environ[name] for name in ALLOCATOR if name in os.environ), None),
        "free_at_start": free,
        "used_at_start": total - free,
    }


def others_on_gpu(environment: dict[str, Any]) -> str | None:
    """What a reader ought to know where a GPU that a cell has for itself was in use when it began."""
    settings = environment["cuda_settings"]
    if settings is None or environment["sharing"] > 1 or settings["used_at_start"] < OTHERS:
        return None
    used = settings["used_at_start"] / 1e9
    return f"{used:.1f} GB of the GPU's memory were in use at the start: others are there, and times are disturbed"


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _driver() -> str | None:
    path = Path("/proc/driver/nvidia/version")
    return path.read_text().splitlines()[0] if path.exists() else None


def _git() -> dict[str, Any] | None:
    """Commit and whether the tree had changes; None outside a checkout."""
    folder = Path(__file__).parents[2]
    if not (folder / ".git").exists():
        return None
    commands = (("rev-parse", "HEAD"), ("status", "--porcelain", "--untracked-files=no"))
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}
    try:
        commit, changes = (
            subprocess.run(
                ["git", "-C", str(folder), *command], capture_output=True, text=True, check=True, env=environment
            ).stdout.strip()
            for command in commands
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return {"commit": commit, "dirty": bool(changes)}
