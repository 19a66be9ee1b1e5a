"""Checkpoints inside a cell: files that a killed training goes on from.

Each is a pair in the cell's folder, `checkpoint/step-N.safetensors` and `step-N.json`. The second is written last and
holds the checksum of the first, so that a pair is whole or does not count. The newest two are kept. No pickle.
"""

import json
import logging
import os
import re
import time
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from errno import ELOOP
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from bench.records.store import write_atomically
from bench.system.links import own_file
from bench.system.plain_files import read_file

FOLDER = "checkpoint"
STEP = re.compile(r"step-([0-9]{1,15})\.json")
OWN = re.compile(r"\.?step-[0-9]+\.(json|safetensors).*")
VERSION = 1  # of the files' content; others are not read
KEPT = 2  # the newest, and one to fall back to
SHARE = 0.01  # of the run time that writing may take, where the interval is not given
SHORTEST = 60.0  # seconds between two checkpoints, at least, where the interval is not given
ASSUMED_SPEED = 2e8  # bytes per second, of a slow disk, until one has been written


@dataclass
class Content:
    """What a checkpoint holds: after which optimizer step it was written, tensors by name, and plain values."""

    step: int
    tensors: dict[str, Tensor]
    plain: dict[str, Any]

    def below(self, prefix: str) -> dict[str, Tensor]:
        """The tensors whose names begin with `prefix` and a dot, without it."""
        start = f"{prefix}."
        return {name.removeprefix(start): tensor for name, tensor in self.tensors.items() if name.startswith(start)}


class Checkpoints:
    """The checkpoints of one cell.

    Attributes:
        folder: theirs alone.
        notes: what went wrong with reading or writing them, for the record.
    """

    def __init__(self, folder: Path, identity: str, interval: float | None) -> None:
        """Look into a cell's folder; nothing is read or created yet.

        Args:
            folder: the cell's.
            identity: of the cell's settings and of what it is made of; checkpoints of others are not resumed.
            interval: seconds between two of them; None: `SHORTEST`, or longer, so that writing takes `SHARE` of the
                time at most; infinite: none.
        """
        self.folder, self._identity, self._interval = folder / FOLDER, identity, interval
        self._since = time.monotonic()
        self._wait: float | None = interval
        self.notes: list[str] = []

    def due(self, size: Callable[[], int]) -> bool:
        """Whether it is time to write one of about `size()` bytes."""
        if self._wait is None:
            self._wait = max(SHORTEST, size() / ASSUMED_SPEED / SHARE)
        return time.monotonic() - self._since >= self._wait

    def write(self, content: Content) -> bool:
        """Write one, and remove those before the last.

        A failure (a full disk, say) is noted and no reason to stop training. Returns whether it was written.
        """
        begin, step = time.monotonic(), content.step
        tensors, described = self._pair(step)
        try:
            check_no_link(self.folder)
            self.folder.mkdir(parents=True, exist_ok=True)
            self._remove(self._steps()[KEPT - 1 :])
            _save(tensors, {name: tensor.detach().to("cpu").contiguous() for name, tensor in content.tensors.items()})
            state = {
                "version": VERSION, "identity": self._identity, "step": step, "tensors": _checksum(tensors),
                "plain": content.plain,
            }  # fmt: skip
            text = json.dumps(state)
            write_atomically(described, json.dumps({"checksum": zlib.crc32(text.encode()), "state": state}).encode())
            written = True
        except (OSError, SafetensorError) as error:
            tensors.unlink(missing_ok=True)
            self._note(f"no checkpoint after step {step}: {_reason(error)}")
            written = False
        self._since = time.monotonic()
        if self._interval is None:
            self._wait = max(SHORTEST, (self._since - begin) / SHARE)
        return written

    def latest(self) -> Content | None:
        """The newest checkpoint of this cell that is whole; those that are not are noted and removed."""
        for step in self._steps():
            try:
                return self.read(step)
            except (OSError, ValueError, KeyError, TypeError, RecursionError, SafetensorError) as error:
                self._note(f"the checkpoint after step {step} was not used: {_reason(error)}")
                if not isinstance(error, OSError) or isinstance(error, FileNotFoundError):
                    self._pair(step)[1].unlink(missing_ok=True)  # else it would count as one to fall back to
        return None

    def read(self, step: int) -> Content:
        """The one after `step`.

        Raises:
            OSError: it cannot be read.
            ValueError, KeyError, TypeError, RecursionError, SafetensorError: it is damaged, or of another version or
                cell.
        """
        check_no_link(self.folder)
        tensors, described = self._pair(step)
        whole = json.loads(read_file(described))
        state = whole["state"]
        if whole["checksum"] != zlib.crc32(json.dumps(state).encode()):
            raise ValueError(f"{described.name} is damaged")
        if state["version"] != VERSION:
            raise ValueError(f"version {state['version']} is not the {VERSION} known here")
        if state["identity"] != self._identity:
            raise ValueError("it is of other settings, or of another model, other data or other code")
        if state["tensors"] != _checksum(tensors):
            raise ValueError(f"{tensors.name} is damaged")
        return Content(step, load_file(tensors), state["plain"])

    def _pair(self, step: int) -> tuple[Path, Path]:
        return self.folder / f"step-{step}.safetensors", self.folder / f"step-{step}.json"

    def _steps(self) -> list[int]:
        return saved_steps(self.folder.parent)

    def _remove(self, steps: list[int]) -> None:
        """Remove the pairs of `steps`, and files of ours that belong to none: the traces of a kill."""
        for step in steps:
            self._pair(step)[1].unlink(missing_ok=True)
        whole = {path for step in self._steps() for path in self._pair(step)}
        for path in _own_files(self.folder):
            if path not in whole:
                path.unlink(missing_ok=True)

    def _note(self, text: str) -> None:
        self.notes.append(text)
        logging.getLogger(__name__).warning("bench: %s", text)


def saved_steps(folder: Path) -> list[int]:
    """After which steps there is a checkpoint in a cell's folder, the newest first."""
    own = folder / FOLDER
    if own.is_symlink():
        return []
    found = (STEP.fullmatch(path.name) for path in own.glob("step-*.json"))
    return sorted((int(name[1]) for name in found if name), reverse=True)


def remove_checkpoints(folder: Path) -> None:
    """Delete all of a cell's checkpoints, and nothing that is not ours; what a link leads to stays as it is."""
    own = folder / FOLDER
    with suppress(OSError):  # nothing is lost by what is left
        check_no_link(own)
        for path in _own_files(own):
            path.unlink()
        own.rmdir()


def check_no_link(folder: Path) -> None:
    """Refuse a folder of checkpoints that is a link; raises OSError."""
    if folder.is_symlink():
        raise OSError(ELOOP, f"{folder} is a link, and checkpoints are kept in a folder of the cell's own only")


def _own_files(folder: Path) -> list[Path]:
    """What checkpoints are called, and what they are called while they are written."""
    return [path for path in folder.iterdir() if OWN.fullmatch(path.name) and (path.is_symlink() or path.is_file())]


def _save(path: Path, tensors: dict[str, Tensor]) -> None:
    """Write the tensors, and see that they are on the disk."""
    save_file(tensors, own_file(path))
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _checksum(path: Path) -> int:
    checksum = 0
    with path.open("rb") as file:
        while piece := file.read(1 << 24):
            checksum = zlib.crc32(piece, checksum)
    return checksum


def _reason(error: Exception) -> str:
    text = (error.strerror if isinstance(error, OSError) else None) or str(error).strip() or type(error).__name__
    return " ".join(text.split())
