"""Where the tests marked `gpu` are: collecting all tests takes longer than running these."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
MARK = "mark." + "gpu"


def files_with_gpu_tests(root: Path = ROOT) -> list[str]:
    """Test files in which something is marked, relative to `root`."""
    found = (path for path in sorted((root / "tests").rglob("test_*.py")) if MARK in path.read_text(encoding="utf-8"))
    return [path.relative_to(root).as_posix() for path in found]
