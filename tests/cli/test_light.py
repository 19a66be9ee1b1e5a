"""Commands that look at words, folders and records answer without torch, which takes seconds to import."""

import json
import subprocess
import sys
from pathlib import Path
from pkgutil import resolve_name

import pytest

from bench.cli.commands import COMMANDS

# What each of them is asked, in an empty folder.
LIGHT = {
    "status": ["experiment=miniature/glue"],
    "table": ["experiment=miniature/glue"],
    "compare": ["experiment=miniature/glue"],
    "findings": [],
    "report": [],
    "reference": ["set", "table=III"],
    "cite": ["experiment=survey/glue", "method=lora", "task=glue/rte"],
    "task": ["new", "rows.csv"],
}
# These train, count or examine, or make the classes that a cell names to check their settings.
NEED_TORCH = {"evaluate", "export", "run", "sweep", "tune", "fair", "show", "plan", "fetch", "check", "doctor"}
PROGRAM = """
import json, sys
from bench.cli.commands import run_command
for words in json.loads(sys.argv[1]):
    code = run_command(words)
    if "torch" in sys.modules or "transformers" in sys.modules:
        sys.exit(f"bench {' '.join(words)} has imported torch")
"""


def test_every_command_is_looked_at() -> None:
    assert set(COMMANDS) == set(LIGHT) | NEED_TORCH
    assert all(callable(resolve_name(place)) for place in COMMANDS.values())


@pytest.mark.parametrize(
    "walk",
    [[[name, "--help"] for name in COMMANDS], [[name, *words] for name, words in LIGHT.items()], [["run", "model=no"]]],
    ids=["help", "work", "a mistake"],
)
def test_without_torch(walk: list[list[str]], tmp_path: Path) -> None:
    command = [sys.executable, "-c", PROGRAM, json.dumps(walk)]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "Traceback" not in result.stderr
