"""The folders of cells in a results folder: with a record, or with a claim only."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.records.finding import Found, identity_at, is_folder
from bench.records.store import FILE
from bench.sweeping.announcement import FOLDER

LEFT_OUT = ("published",)  # copies from other machines


@dataclass(frozen=True, slots=True)
class CellFolder:
    """A cell's folder, or, without a `name`, the folder of an experiment in which a sweep has said something.

    Attributes:
        experiment: its name, with slashes.
        name: the cell's.
        path: the folder.
        record: the file of its record; None: there is none.
    """

    experiment: str
    name: str
    path: Path
    record: Found | None = None


def cell_folders(results_dir: Path) -> Iterator[CellFolder]:
    """All of them, at any depth; what cannot be read is passed over."""
    waiting = [str(results_dir)]
    while waiting:
        folder = waiting.pop()
        experiment = os.path.relpath(folder, results_dir)
        try:
            with os.scandir(folder) as found:
                entries = list(found)
        except OSError:
            continue
        for entry in entries:
            if entry.name == FOLDER:
                yield CellFolder(experiment, "", Path(folder))
            if entry.name.startswith(".") or not is_folder(entry) or _is_left_out(folder, entry, results_dir):
                continue
            record = f"{entry.path}/{FILE}"
            identity = identity_at(record)
            if identity is not None:
                yield CellFolder(experiment, entry.name, Path(entry.path), Found(record, identity))
            elif _has_claim(entry.path):
                yield CellFolder(experiment, entry.name, Path(entry.path))
            else:
                waiting.append(entry.path)


def _is_left_out(folder: str, entry: os.DirEntry[str], results_dir: Path) -> bool:
    return folder == str(results_dir) and entry.name in LEFT_OUT


def _has_claim(folder: str) -> bool:
    try:
        return any(name.startswith("claim-") for name in os.listdir(folder))
    except OSError:
        return False
