"""Imports go one way, as pyproject.toml says and docs/architecture.md draws."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from scripts.draw_floors import COMMAND, ROOT, drawing, floors

PLANTED = {
    "bench/records/owner.py": "import bench.running.run\n",
    "bench/tables/statistics/pareto.py": "import torch\n",
    "bench/evaluation/batching.py": "import bench.evaluation.classification\n",
    "bench/configuration/experiment.py": "import transformers\n",
}


def imports_checked_in(folder: Path) -> subprocess.CompletedProcess[str]:
    """`lint-imports`, as `make lint` runs it, on the packages in `folder`."""
    program = "import sys; from importlinter.cli import lint_imports_command; sys.exit(lint_imports_command())"
    command = [sys.executable, "-c", program, "--no-cache"]
    environment = os.environ | {"PYTHONPATH": str(folder)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_a_planted_import_against_the_street_is_found(tmp_path: Path) -> None:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for package in ("bench", "hydra_plugins"):
        unread = shutil.ignore_patterns("__pycache__", "*.safetensors", "*.json")
        shutil.copytree(ROOT / package, tmp_path / package, ignore=unread)
    clean = imports_checked_in(tmp_path)
    assert clean.returncode == 0, clean.stdout + clean.stderr
    for path, line in PLANTED.items():
        source = (tmp_path / path).read_text()
        (tmp_path / path).write_text(f"{source}\n{line}")
    found = imports_checked_in(tmp_path)
    assert found.returncode == 1
    assert found.stdout.count("BROKEN") == 4
    for words in (
        "bench.records is not allowed to import bench.running",
        "bench.tables is not allowed to import torch",
        "No cycles are allowed in bench.evaluation",
        "bench.configuration is not allowed to import transformers",
    ):
        assert words in found.stdout


def test_every_folder_has_a_floor_and_nothing_else_lies_loose() -> None:
    loose = {path.stem for path in (ROOT / "bench").glob("*.py")}
    assert loose == {"__init__", "__main__", "errors"}
    folders = {path.parent.name for path in (ROOT / "bench").glob("*/__init__.py")}
    assert {name for floor in floors() for name in floor} == folders | {"errors"}


def test_the_drawing_is_current() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    assert f"```\n{drawing()}```" in page, f"put the output of {COMMAND} there"


def test_files_that_the_page_names_are_there() -> None:

    page = (ROOT / "docs" / "architecture.md").read_text()
    named = set(re.findall(r"`((?:bench|configs|scripts|tests|hydra_plugins)/[\w/.]+)`", page))
    assert len(named) > 15
    assert not {path for path in named if not (ROOT / path).exists()}
