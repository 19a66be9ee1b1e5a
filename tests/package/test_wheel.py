"""The wheel is enough: what a user has after `pip install`, without the repository. `make test-package` runs this."""

import email
import json
import os
import pty
import select
import subprocess
import time
import zipfile
from pathlib import Path

import pytest

from bench import __version__

from .conftest import EMPTY, ROOT, Program

pytestmark = pytest.mark.slow
SHORT = ["training.max_steps=2", "data.limit_train=64", "data.limit_evaluation=16"]


@pytest.fixture(scope="module")
def record(program: Program, elsewhere: Path) -> dict[str, object]:
    """Of the miniature's one cell, run by the wheel."""
    path = program("bench", "run", *SHORT).stdout.splitlines()[-1]
    read: dict[str, object] = json.loads((elsewhere / path).read_text())
    return read


def files_of(folder: str) -> set[str]:
    found = (path for path in (ROOT / folder).rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {str(path.relative_to(ROOT)) for path in found}


def test_all_files_are_inside_and_nothing_else(wheel):
    inside = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    configs = {f"bench/{name}" for name in files_of("configs")}
    assert inside == files_of("bench") | files_of("hydra_plugins") | configs


def test_its_description(wheel):
    archive = zipfile.ZipFile(wheel)
    folder = f"peft_rematch-{__version__}.dist-info"
    said = email.message_from_bytes(archive.read(f"{folder}/METADATA"))
    assert (said["Name"], said["Version"], said["License-Expression"]) == ("peft-rematch", __version__, "Apache-2.0")
    assert set(said.get_all("Provides-Extra")) == {
        "test", "dev", "slurm", "ray", "tensorboard", "mlflow", "wandb", "lm-eval", "docs",
        "browser",
    }  # fmt: skip
    assert said.get_all("License-File") == ["LICENSE"]
    assert archive.read(f"{folder}/licenses/LICENSE") == (ROOT / "LICENSE").read_bytes()
    assert said.get_payload().startswith("# peft-rematch")


def test_what_it_depends_on_is_there(program):
    program("python", "-m", "pip", "check")


def test_a_cell_runs_by_the_wheel_alone(record, program, environment):
    assert record["status"] == "done"
    assert record["environment"]["libraries"]["bench"] == __version__
    assert record["environment"]["git"] is None
    ask = "import bench, sys; from bench.configuration.folder import CONFIGS; print(bench.__file__, CONFIGS, *sys.path)"
    said = program("python", "-c", ask).stdout.split()
    assert all(Path(path).is_relative_to(environment) for path in said[:2])
    assert str(ROOT) not in said


def test_python_knows_the_cell_and_its_record(record, program):
    ask = (
        "import bench; cell = bench.cell(training={'max_steps': 2}, data={'limit_train': 64, 'limit_evaluation': 16});"
        "print(cell.id, cell.run().status, *bench.records('results').id)"
    )
    assert program("python", "-c", ask).stdout.split() == [record["cell"]["id"], "done", record["cell"]["id"]]


def test_tables_findings_and_plans_too(record, program, elsewhere):
    program("bench", "table", "experiment=runs", "format=all")
    assert len(list((elsewhere / "results" / "tables").rglob("*.*"))) == 5
    assert "21 undecided of 21 claims" in program("bench", "findings").stdout
    assert "lora" in program("bench", "plan", "model=miniature/llama", "task=miniature/mmlu", "workers=1").stdout


def test_the_tab_key_in_bash(environment, elsewhere, surroundings):
    screen, keyboard = pty.openpty()
    quiet = surroundings | {"PS1": "", "TERM": "dumb"}
    shell = ["bash", "--norc", "--noprofile", "-i"]
    bash = subprocess.Popen(shell, cwd=elsewhere, env=quiet, stdin=keyboard, stdout=keyboard, stderr=keyboard)
    try:
        os.write(screen, b'eval "$(bench -sc install=bash)"; echo "rea""dy"\n')
        assert "ready" in shown(screen, "ready")
        os.write(screen, b"echo bench; bench run model=miniature/ro\t")
        assert "bench run model=miniature/roberta" in shown(screen, "roberta")
    finally:
        bash.kill()
        bash.wait()


def shown(screen: int, awaited: str) -> str:
    """What has come to the screen until the awaited is there; all of it after 30 seconds."""
    text, end = "", time.monotonic() + 30
    while awaited not in text and time.monotonic() < end:
        if select.select([screen], [], [], 1)[0]:
            text += os.read(screen, 4096).decode()
    return text


@pytest.mark.skipif(not EMPTY, reason="the libraries are those of the setup; EMPTY=true installs all of them")
def test_nothing_was_borrowed(program, environment):
    said = program("python", "-c", "import torch, transformers; print(torch.__file__, transformers.__file__)").stdout
    assert all(Path(path).is_relative_to(environment) for path in said.split())
