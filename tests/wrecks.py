"""A folder of a user's own with a method that comes to grief in the ways that a launcher has to bear."""

from pathlib import Path

CODE = """
import os, signal, subprocess, time
from dataclasses import dataclass
from bench.methods.full import FullFineTuning

@dataclass(kw_only=True)
class Wreck(FullFineTuning):
    how: str

    def apply(self, model, setting):
        if self.how == "exit":
            os._exit(7)
        if self.how == "segfault":
            os.kill(os.getpid(), signal.SIGSEGV)
        if self.how == "raise":
            raise RuntimeError("a bug in a method")
        if self.how == "hang":
            child = subprocess.Popen(["sleep", "600"])
            print("child", child.pid, flush=True)
            time.sleep(600)
        return super().apply(model, setting)
"""
YAML = "_target_: wrecks.Wreck\nname: wreck\ntitle: Wreck\ncategory: full\npaper: none\nhow: none\n"


def write_wrecks(folder: Path) -> Path:
    """Write it into `folder`, for `--config-dir`."""
    (folder / "method").mkdir(parents=True)
    (folder / "wrecks.py").write_text(CODE)
    (folder / "method" / "wreck.yaml").write_text(YAML)
    return folder
