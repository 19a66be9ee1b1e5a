"""`bench doctor`: what this machine can run, and what is missing."""

import importlib.metadata
import importlib.util
import os
import platform
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bench.errors import UserError
from bench.identity.libraries import HARNESS
from bench.system.console import PlainConsole
from bench.system.gpus import visible_gpus
from bench.system.processors import processors

LIBRARIES = ("torch", "transformers", "peft", "accelerate", "datasets", "evaluate", "bitsandbytes", "hydra-core")
SHIPPED = ("roberta", "t5", "llama")


@dataclass(frozen=True)
class Finding:
    """One line of the examination; `fine` is None for plain information."""

    subject: str
    result: str
    fine: bool | None = None


def doctor(arguments: Sequence[str]) -> int:
    """Examine it, and say what was found."""
    if arguments:
        raise UserError("doctor takes no settings")
    show(examine(), PlainConsole())
    return 0


def examine() -> list[Finding]:
    """Look at processor, memory, disk, GPU, libraries, the shipped backbones, the hub and the schedulers."""
    return [*_machine(), *_gpu(), *_libraries(), *_backbones(), _hub(), *_schedulers()]


def show(findings: list[Finding], console: Console) -> None:
    """Print the findings as a table."""
    marks = {True: "[green]ok[/]", False: "[yellow]missing[/]", None: ""}
    table = Table(box=None, show_header=False)
    for finding in findings:
        table.add_row(marks[finding.fine], finding.subject, escape(finding.result))
    console.print(table)


def _machine() -> list[Finding]:
    memory = psutil.virtual_memory()
    disk = shutil.disk_usage(Path.cwd())
    return [
        Finding("python", platform.python_version()),
        Finding("processor", f"{os.cpu_count()} cores, {processors()} for this process"),
        Finding("memory", f"{memory.total / 2**30:.0f} GiB, {memory.available / 2**30:.0f} free"),
        Finding("disk", f"{disk.free / 2**30:.0f} GiB free here"),
    ]


def _gpu() -> list[Finding]:
    import torch

    if not torch.cuda.is_available():
        note = "no CUDA device: cells run on the CPU, memory is the resident set, CUDA fields are null"
        if there := len(visible_gpus()):
            note = f"{there} there, but torch {torch.__version__} (CUDA {torch.version.cuda}) cannot use any"
        lost = "GPU memory, GPU time and utilisation; tests marked gpu are skipped; `bench plan` predicts GPU memory"
        return [Finding("GPU", note, fine=False), Finding("not measured here", lost, fine=False)]
    found = []
    for index in range(torch.cuda.device_count()):
        device = torch.cuda.get_device_properties(index)
        found.append(Finding("GPU", f"{device.name}, {device.total_memory / 2**30:.0f} GiB", fine=True))
    return found


def _libraries() -> list[Finding]:
    found = []
    for name in LIBRARIES:
        try:
            found.append(Finding(name, importlib.metadata.version(name), fine=True))
        except importlib.metadata.PackageNotFoundError:
            found.append(Finding(name, f"not installed: pip install {name}", fine=False))
    return found


def _backbones() -> list[Finding]:
    from bench.miniature.backbones import backbone_path

    found = []
    for family in SHIPPED:
        try:
            backbone_path(family)
            found.append(Finding(f"miniature {family}", "shipped with the package", fine=True))
        except FileNotFoundError as error:
            found.append(Finding(f"miniature {family}", str(error), fine=False))
    return found


def _hub() -> Finding:
    if os.environ.get("HF_HUB_OFFLINE", "0").lower() in ("1", "true", "yes", "on"):
        return Finding("Hugging Face hub", "HF_HUB_OFFLINE is set: cached or local files only", fine=False)
    import requests

    try:
        requests.head("https://huggingface.co", timeout=5)
    except requests.RequestException:
        return Finding("Hugging Face hub", "not reached: give model.path= and data.root=", fine=False)
    return Finding("Hugging Face hub", "reached", fine=True)


def _schedulers() -> list[Finding]:
    plugins = {"slurm": "submitit", "ray": "ray"}
    found = []
    for extra, module in plugins.items():
        there = importlib.util.find_spec(module) is not None
        found.append(
            Finding(f"launcher {extra}", "installed" if there else f"pip install '{HARNESS}[{extra}]'", fine=there)
        )
    return found
