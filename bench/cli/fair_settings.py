"""The settings that `bench fair` takes for itself; all others are the search's, the sweep's or a cell's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.cli.arguments import check_out
from bench.cli.tune_settings import HYPERBAND, TuneSettings
from bench.configuration.experiment import word
from bench.errors import UserError

USAGE = "bench fair method=mine model=miniature/roberta task=miniature/sst2,miniature/cola trials=8"
OWN = ("method", "model", "task", "baselines", "seed")
MADE_HERE = ("experiment", "experiment.name", "experiment.grid", "out", "only", "chosen")  # and so not the user's
BASELINES = "full,lora,adapter_s"
SEEDS = "0,1,2,3,4"
SEARCH = "fair"  # the experiment whose trials these are: baselines are searched once, for all methods that are proposed


@dataclass(frozen=True)
class FairSettings:
    """A comparison of one method with baselines.

    Attributes:
        method: which is proposed.
        experiment: of the final cells.
        folder: of the final cells, the chosen settings, the tables and the text.
        results_dir: where all experiments lie.
        tune: the search.
        cells: what the final cells are composed with, beside what the search has chosen.
    """

    method: str
    experiment: str
    folder: Path
    results_dir: str
    tune: TuneSettings
    cells: tuple[str, ...]

    @classmethod
    def of(cls, arguments: Sequence[str]) -> "FairSettings":
        """Read them.

        Raises:
            UserError: something is missing, a value that is none, or the method is one of the baselines.
        """
        given = {key: value for key, _, value in (item.partition("=") for item in arguments)}
        for key in MADE_HERE:
            if key in given:
                raise UserError(f"{key}= is not yours to give: bench fair makes an experiment of its own; {USAGE}")
        for key in ("method", "model", "task"):
            if not given.get(key):
                raise UserError(f"{key}= is missing: {USAGE}")
        method, baselines = given["method"], _several("baselines", given.get("baselines", BASELINES))
        if "," in method or method == "all":
            raise UserError(f"method={method}: one method is proposed; others go into baselines=")
        if method in baselines:
            raise UserError(
                f"method={method} is among baselines={','.join(baselines)}: name others, say baselines="
                + ",".join(one for one in [*BASELINES.split(","), "bitfit"] if one != method)
            )
        grid = {
            "model": _several("model", given["model"]),
            "task": _several("task", given["task"]),
            "method": [method, *baselines],
            "seed": _several("seed", given.get("seed", SEEDS)),
        }
        rest = [item for item in arguments if item.partition("=")[0] not in OWN]
        tune = TuneSettings.of([*_composed(SEARCH, grid), *rest])
        protocol, results_dir = tune.protocol, given.get("results_dir", "results")
        budget = f"{protocol.trials}-trials" if protocol.seconds is None else f"{protocol.seconds}-seconds"
        pruned = "" if protocol.pruner.is_none else f"-{HYPERBAND}"
        experiment = f"{SEARCH}/{method}/{budget}{pruned}"
        folder = Path(results_dir) / experiment
        check_out(str(folder), str(folder), results_dir)
        own = tune.cells[len(_composed(SEARCH, grid)) :]
        cells = (*_composed(experiment, grid), f"experiment.grid={word([grid])}", *own)
        return cls(method, experiment, folder, results_dir, tune, cells)


def _composed(experiment: str, grid: Mapping[str, Sequence[str]]) -> list[str]:
    return ["experiment=runs", f"experiment.name={experiment}", *(f"{key}={','.join(grid[key])}" for key in grid)]


def _several(key: str, words: str) -> list[str]:
    names = [name.strip() for name in words.strip("[]").split(",")]
    if "" in names:
        raise UserError(f"{key}={words} lacks a name")
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"{key}={words} names {name} twice")
    return names
