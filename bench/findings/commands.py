"""The commands that would decide a claim, ready to be pasted."""

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

DEFAULT = "results"  # the folder that no command needs to name


@dataclass(frozen=True)
class Wanted:
    """Cells that would decide something.

    Attributes:
        experiment, model, method: which.
        seeds: how many, from 0 on; 0 for those of the experiment's grid.
    """

    experiment: str
    model: str
    method: str
    seeds: int = 0


def commands(wanted: Iterable[Wanted], results_dir: str) -> list[str]:
    """`bench sweep` for exactly the cells wanted: one command for models that want the same methods and seeds."""
    methods: dict[tuple[str, str, int], dict[str, None]] = {}
    for cells in wanted:
        methods.setdefault((cells.experiment, cells.model, cells.seeds), {})[cells.method] = None
    models: dict[tuple[str, tuple[str, ...], int], list[str]] = {}
    for (experiment, model, seeds), names in methods.items():
        models.setdefault((experiment, tuple(sorted(names)), seeds), []).append(model)
    lines = []
    for (experiment, together, seeds), of in models.items():
        words = [f"experiment={experiment}", f"model={','.join(of)}", f"method={','.join(together)}"]
        if seeds:
            words.append(f"seed={','.join(map(str, range(seeds)))}")
        lines.append(f"bench sweep {shlex.join([*words, *folder(results_dir)])}")
    return lines


def folder(results_dir: str) -> list[str]:
    """The setting that names the results folder; empty for the default."""
    return [] if Path(results_dir) == Path(DEFAULT) else [f"results_dir={results_dir}"]
