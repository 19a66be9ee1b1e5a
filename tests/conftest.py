"""Shared by all tests: no network, two threads at most, and a way to compose and run small cells."""

import contextlib
import copy
import dataclasses
import functools
import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

os.environ["HF_HUB_OFFLINE"] = "1"  # before anything imports huggingface_hub
os.environ.setdefault("FUZZ_SEED", str(int.from_bytes(os.urandom(4))))  # one for all workers, which inherit it

from bench.cli.commands import run_command
from bench.configuration.cell import Cell
from bench.configuration.compose import Configurations


def pytest_report_header() -> str:
    return f"fuzz seed: FUZZ_SEED={os.environ['FUZZ_SEED']} gives the fuzzers the same inputs again"


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Tests of the stand-in device are run when they are asked for: no other test is to find a device that it makes."""
    folder = Path(__file__).parent / "device"
    named = [Path(argument.partition("::")[0]).resolve() for argument in config.invocation_params.args]
    return True if collection_path == folder and not any(path.is_relative_to(folder) for path in named) else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    import torch

    for item in items:
        if item.get_closest_marker("gpu") and not torch.cuda.is_available():
            item.add_marker(pytest.mark.skip(reason="no CUDA device here"))
        if item.get_closest_marker("network"):
            item.add_marker(pytest.mark.skip(reason="needs the internet: HF_HUB_OFFLINE is set for the tests"))


@pytest.fixture(autouse=True)
def two_threads() -> None:
    import torch

    torch.set_num_threads(1)


@functools.cache
def composed(*overrides: str) -> Cell:
    """Many tests want the same cell, and Hydra takes a fifth of a second for it."""
    with Configurations() as configurations:
        return configurations.cell(overrides)


@pytest.fixture
def compose(tmp_path: Path) -> Callable[..., Cell]:
    """Compose a cell whose results go to the test's own folder."""

    def cell(*overrides: str) -> Cell:
        if any(override.startswith("results_dir=") for override in overrides):
            return composed.__wrapped__(*overrides)
        shared = composed(*overrides)
        config = copy.deepcopy(shared.config) | {"results_dir": str(tmp_path / "results")}
        return dataclasses.replace(shared, config=config)

    return cell


@pytest.fixture
def bench(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a command line in an empty folder, within this process: importing torch and transformers takes seconds."""

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        out, err = io.StringIO(), io.StringIO()
        with contextlib.chdir(tmp_path), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = run_command(arguments)
        return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())

    return call


@pytest.fixture
def bench_process(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a command line in an empty folder in a process of its own, as a user does."""

    def call(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "bench", *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload, no-any-return]

    return call
