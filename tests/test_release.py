"""What stands in several files of a release stands there alike."""

import tomllib
from pathlib import Path

import yaml

from bench import __version__

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_version_and_licence():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert (citation["version"], citation["license"]) == (__version__, PROJECT["license"])
    assert f"\n## {__version__}" in (ROOT / "CHANGELOG.md").read_text()
    assert "Apache License" in (ROOT / "LICENSE").read_text()


def test_name():
    from bench.identity.libraries import HARNESS

    assert PROJECT["name"] == HARNESS
    assert (ROOT / "README.md").read_text().startswith(f"# {HARNESS}\n")
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["title"].startswith(f"{HARNESS}:")


def test_extras_are_documented():
    page = (ROOT / "docs" / "installing.md").read_text()
    for extra in PROJECT["optional-dependencies"]:
        assert f"`{extra}`" in page
