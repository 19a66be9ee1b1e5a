"""The wheel, and an environment that has it and not the repository."""

import os
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EMPTY = os.environ.get("EMPTY") == "true"

Program = Callable[..., subprocess.CompletedProcess[str]]


def called(*command: str | Path, **options: object) -> subprocess.CompletedProcess[str]:
    """What a command says; it must end well."""
    result = subprocess.run(command, capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload]
    assert result.returncode == 0, result.stdout + result.stderr
    return result  # type: ignore[no-any-return]


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from the repository as pip builds it."""
    folder = tmp_path_factory.mktemp("wheel")
    called(sys.executable, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", folder, ROOT)
    [built] = folder.iterdir()
    return built


@pytest.fixture(scope="session")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an environment with the wheel.

    With EMPTY=true pip installs what the wheel depends on. Else the libraries are those that run these tests, by a line
    in a .pth file: such a folder's own .pth files are not read, so that the editable installation stays out.
    """
    folder = tmp_path_factory.mktemp("environment")
    called(sys.executable, "-m", "venv", folder)
    python = folder / "bin" / "python"
    which = ["-c", ROOT / "constraints.txt"] if EMPTY else ["--no-deps"]
    called(python, "-m", "pip", "install", "--disable-pip-version-check", *which, wheel)
    if not EMPTY:
        site = called(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").stdout.strip()
        called(
            python, "-m", "pip", "uninstall", "--yes", "setuptools"
        )  # Python 3.11 puts in one that is too old for torch
        Path(site, "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder


@pytest.fixture(scope="session")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder to work in that is not the repository."""
    return tmp_path_factory.mktemp("elsewhere")


@pytest.fixture(scope="session")
def surroundings(environment: Path) -> dict[str, str]:
    """The variables of a shell in which the environment is active."""
    kept = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")}
    return kept | {"PATH": f"{environment / 'bin'}:{kept['PATH']}", "HF_HUB_OFFLINE": "1"}


@pytest.fixture(scope="session")
def program(environment: Path, elsewhere: Path, surroundings: dict[str, str]) -> Program:
    """Run one of the environment's programs elsewhere."""

    def call(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return called(environment / "bin" / name, *arguments, cwd=elsewhere, env=surroundings)

    return call
