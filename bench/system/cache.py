"""The folder for what the harness makes once and reads often, and how processes share it."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path


def cache_folder() -> Path:
    """Where generated data are kept: ``$BENCH_CACHE``, else ``$XDG_CACHE_HOME/bench``, else ``~/.cache/bench``."""
    if own := os.environ.get("BENCH_CACHE"):
        return Path(own).expanduser()
    shared = os.environ.get("XDG_CACHE_HOME")
    return (Path(shared).expanduser() if shared else Path.home() / ".cache") / "bench"


def write_once(final: Path, write: Callable[[Path], None]) -> None:
    """Let `write` make a file, and give it its name only when it is complete.

    Safe among processes: each writes a file of its own, and renaming replaces whatever another has finished meanwhile,
    which has the same content.
    """
    final.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f"{final.name}.", dir=final.parent)
    os.close(handle)
    scratch = Path(name)
    try:
        write(scratch)
        scratch.chmod(0o644)  # mkstemp makes files private; a shared cache must be readable like any other folder
        scratch.replace(final)
    finally:
        scratch.unlink(missing_ok=True)
