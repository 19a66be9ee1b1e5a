"""A folder of a user's own with a method that comes to grief in the ways that a cluster has to bear."""

from pathlib import Path

CODE = """
import os
from dataclasses import dataclass
from bench.methods.full import FullFineTuning

@dataclass(kw_only=True)
class Wreck(FullFineTuning):
    how: str

    def apply(self, model, setting):
        if self.how == "exit":
            os._exit(7)
        if self.how == "raise":
            raise RuntimeError("a bug in a method")
        return super().apply(model, setting)
"""
YAML = "_target_: wrecks.Wreck\nname: wreck\ntitle: Wreck\ncategory: full\npaper: none\nhow: none\n"


def write_wrecks(folder: Path) -> Path:
    """Write it into `folder`, for `--config-dir`."""
    (folder / "method").mkdir(parents=True)
    (folder / "wrecks.py").write_text(CODE)
    (folder / "method" / "wreck.yaml").write_text(YAML)
    return folder
