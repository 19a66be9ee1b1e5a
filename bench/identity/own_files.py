"""Where files of the user's own lie that a task names relative to nothing in particular.

They are looked for as classes of the user's own are: in `--config-dir`, which is on Python's path, then where the
command was started. `data.root` takes the place of both.
"""

import os
import sys
from pathlib import Path

from bench.identity.sources import INSTALLED


def folders(root: str | None) -> list[Path]:
    """Where to look, in this order."""
    if root is not None:
        return [Path(root).expanduser()]
    installed = tuple(folder + os.sep for folder in INSTALLED)
    searched = [Path(path) for path in sys.path if path and not f"{path}{os.sep}".startswith(installed)]
    return list(dict.fromkeys([*(path for path in searched if path.is_dir()), Path.cwd()]))


def folder_with(name: str, root: str | None) -> Path | None:
    """The first folder that has the file or folder `name`; None: none has."""
    return next((folder for folder in folders(root) if (folder / name).exists()), None)
