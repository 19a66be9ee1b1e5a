"""Where the project's own YAML files are."""

from pathlib import Path

PACKAGE = Path(__file__).parents[1]
# Inside the package in an installed wheel, beside it in a checkout; beside an installed one may be someone else's.
CONFIGS = next(path for path in (PACKAGE / "configs", PACKAGE.parent / "configs") if path.is_dir())
