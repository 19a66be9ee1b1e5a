"""What pip is told: `make test-lowest` installs the lowest versions that it may choose, `make setup` known ones."""

import ast
import importlib.metadata
import re
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
NEEDED = [Requirement(line) for line in PROJECT["dependencies"]]


def pins(file: str) -> dict[str, Version]:
    lines = re.findall(r"^([\w.-]+)==(\S+)$", (ROOT / file).read_text(), re.MULTILINE)
    return {canonicalize_name(name): Version(version) for name, version in lines}


def test_every_lower_bound_is_the_version_that_is_tested():
    lowest, known = pins("constraints-lowest.txt"), pins("constraints.txt")
    for needed in NEEDED:
        [bound] = needed.specifier
        assert bound.operator == ">="
        name = canonicalize_name(needed.name)
        if name != "torch":  # whose lower versions bring gigabytes; constraints-lowest.txt says so
            assert lowest[name] == Version(bound.version), name
        assert needed.specifier.contains(known[name]), name


def test_what_the_package_imports_is_declared():
    declared = {canonicalize_name(needed.name) for needed in NEEDED}
    declared |= {canonicalize_name(Requirement(one).name) for key in ("slurm", "ray") for one in optional(key)}
    files = [path for folder in ("bench", "hydra_plugins") for path in (ROOT / folder).rglob("*.py")]
    imported = {name for path in files for name in imports(path)} - set(sys.stdlib_module_names)
    from_where = importlib.metadata.packages_distributions()
    missing = {
        name
        for name in imported - {"bench", "hydra_plugins"}
        if not declared & {canonicalize_name(distribution) for distribution in from_where.get(name, [name])}
    }
    assert missing == set()


def optional(key: str) -> list[str]:
    found: list[str] = PROJECT["optional-dependencies"][key]
    return found


def imports(path: Path) -> set[str]:
    """The first part of every module that a file imports, late imports too."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    named = {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom) and not node.level}
    return {name.partition(".")[0] for name in plain | named}
