"""What a sweep is about to run, in a small file of each experiment, for whoever looks on; nothing else rests on it.

`results/<experiment>/.sweeps/<token>.json`, removed when the sweep ends. One that was killed leaves its file behind;
the next sweep of the experiment on the same machine removes it.
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.configuration.cell import Cell
from bench.records.owner import Owner
from bench.records.shape import made, mapping
from bench.records.store import experiment_folder
from bench.sweeping.cost import Costs, work
from bench.system.cache import write_once
from bench.system.links import stays_inside
from bench.system.plain_files import read_file

FOLDER = ".sweeps"


@dataclass(frozen=True)
class Announced:
    """A cell that a sweep is about to run; `work` as `bench.sweeping.cost.work` has it."""

    id: str
    model: str
    task: str
    method: str
    seed: int
    work: float


@dataclass(frozen=True)
class Announcement:
    """What one sweep runs of one experiment.

    Attributes:
        owner: the process of the sweep.
        cells: in its order.
        rates: seconds per unit of work of cells that were finished before, by model, task and method.
    """

    owner: Owner
    cells: list[Announced]
    rates: dict[tuple[str, ...], float] = field(default_factory=dict)

    @property
    def is_alive(self) -> bool:
        """Whether the sweep goes on, as far as can be seen: of one on another machine it is believed."""
        return not self.owner.is_here or self.owner.is_running


@contextmanager
def announced(cells: Sequence[Cell], costs: Costs) -> Iterator[None]:
    """Say within the block what is run; where that cannot be written it is not said."""
    owner, paths = Owner.this_process(), list[Path]()
    of_place: dict[tuple[str, str], list[Cell]] = defaultdict(list)
    for cell in cells:
        of_place[cell.config["results_dir"], cell.experiment].append(cell)
    for (results_dir, experiment), some in of_place.items():
        folder = experiment_folder(results_dir, experiment) / FOLDER
        if stays_inside(folder, results_dir):
            _remove_dead(folder)
            text = json.dumps({
                "owner": asdict(owner),
                "cells": [[one.id, one.model, one.task, one.method, one.seed, work(one)] for one in some],
                "rates": [[*likeness, rate] for likeness, rate in costs.rates.items()],
            })  # fmt: skip
            paths.append(folder / f"{owner.token}.json")
            with suppress(OSError):
                write_once(paths[-1], lambda scratch, text=text: _write(scratch, text))  # type: ignore[misc]
    try:
        yield
    finally:
        for path in paths:
            with suppress(OSError):
                path.unlink(missing_ok=True)
                path.parent.rmdir()  # unless another sweep has a file there


def announcements(folder: Path) -> list[Announcement]:
    """What sweeps say in an experiment's folder, the killed ones' too; what cannot be read is passed over."""
    found = [_read(path) for path in sorted((folder / FOLDER).glob("*.json"))]
    return [one for one in found if one is not None]


def _remove_dead(folder: Path) -> None:
    for path in folder.glob("*.json"):
        one = _read(path)
        if one is not None and not one.is_alive:
            with suppress(OSError):
                path.unlink()


def _read(path: Path) -> Announcement | None:
    names = ("id", "model", "task", "method", "seed", "work")
    try:
        said = mapping(json.loads(read_file(path)), "announcement")
        cells = [made(Announced, dict(zip(names, one, strict=True)), "cell") for one in said["cells"]]
        rates: dict[tuple[str, ...], float] = {tuple(map(str, known)): float(rate) for *known, rate in said["rates"]}
        return Announcement(Owner.of(said["owner"]), cells, rates)
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None


def _write(path: Path, text: Any) -> None:
    path.write_text(text, encoding="utf-8")
