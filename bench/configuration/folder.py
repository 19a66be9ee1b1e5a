"""Where the project's own YAML files are."""

from pathlib import Path

PACKAGE = Path(__file__).parents[1]
# Beside the package in a checkout, inside it in an installed wheel.
CONFIGS = next(path for path in (PACKAGE.parent / "configs", PACKAGE / "configs") if path.is_dir())
