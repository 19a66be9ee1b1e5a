"""A study: one model × task × method of an experiment, what is searched for it, and the cells of its trials.

A trial is an ordinary cell with its parameters as overrides, a seed of its own, and scores on data that no table
reports. Its record lies below `results_dir`/tuning/<experiment>, where no table of the experiment looks.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.configuration.cell import Cell, hash_of
from bench.configuration.experiment import word
from bench.errors import UserError
from bench.tuning.hyperband import NONE, Hyperband
from bench.tuning.sequence import STARTUP, Parameters, Sampler
from bench.tuning.space import Space, space_of

# Trials are scored on what is held out for choosing: the split that tables report is never read.
SCORED_ON = ("data.score_on=selection",)
EARLIER = "chosen=_none"  # what an earlier search has chosen, and may lie in --config-dir, is left out
FOLDER = "tuning"  # of `results_dir`, for all trials
EPOCHS, STEPS = "training.epochs", "training.max_steps"
DIGITS = 6  # of a part of the epochs: they are in cells' names and settings
STUDIES = "studies"  # of the experiment's folder in it, for the journals


@dataclass(frozen=True)
class Protocol:
    """What all studies of a search have alike.

    Attributes:
        trials: of every study; where `seconds` bound them, the most that there may be.
        sampler: where their parameters come from.
        seeds: that every trial is trained with; its score is their mean. None of them is one of the report's.
        seconds: device-seconds of every study's trials, in place of a number of trials; None: they are counted.
        pruner: which trials are trained for a part of the training only.
    """

    trials: int
    sampler: Sampler
    seeds: tuple[int, ...]
    seconds: int | None = None
    pruner: Hyperband = NONE

    @property
    def at_first(self) -> int:
        """How many trials can be run before anything is known of any."""
        if self.seconds is not None:
            return 1
        return self.trials if self.sampler == Sampler.qmc else min(self.trials, STARTUP)


@dataclass(frozen=True)
class Study:
    """One of a search's studies.

    Attributes:
        cell: the experiment's own, one of its seeds: all but seed and parameters is that of the trials.
        overrides: what composes it, without these.
        space: what is searched.
        protocol: as that of all other studies.
    """

    cell: Cell
    overrides: tuple[str, ...]
    space: Space
    protocol: Protocol

    @property
    def experiment(self) -> str:
        """What the trials' experiment is called."""
        return f"{FOLDER}/{self.cell.experiment}"

    @property
    def name(self) -> str:
        """`tuning/miniature/glue/miniature/roberta/miniature/sst2/lora`."""
        return "/".join((self.experiment, self.cell.model, self.cell.task, self.cell.method))

    @property
    def title(self) -> str:
        """For people."""
        return f"{self.cell.model} {self.cell.task} {self.cell.method}"

    @property
    def folder(self) -> Path:
        """Where its journal lies."""
        own = "-".join(name.replace("/", "_") for name in (self.cell.model, self.cell.task, self.cell.method))
        return Path(self.cell.config["results_dir"]) / self.experiment / STUDIES / own

    @property
    def fingerprint(self) -> dict[str, Any]:
        """What makes it another study, in the words of a message."""
        return {
            "space": str(self.space),
            "sampler": str(self.protocol.sampler),
            "tuning seeds": list(self.protocol.seeds),
            "data to score on": list(SCORED_ON),
            "pruner": str(self.protocol.pruner),
            "settings": hash_of(self._fixed()),
        }

    def trial(self, parameters: Parameters, cuts: int = 0) -> list[list[str]]:
        """The overrides of a trial's cells, one for each seed, with a share of the training: see `hyperband.Stint`."""
        given = [f"{key}={word(value)}" for key, value in parameters.items()]
        fixed = [*self._without_length(cuts), EARLIER, f"experiment.name={self.experiment}", *SCORED_ON]
        return [[*fixed, f"seed={seed}", *given] for seed in self.protocol.seeds]

    def epochs(self, cuts: int) -> float:
        """How long a share of the training is."""
        whole = self.cell.training.epochs
        return float(f"{whole / self.protocol.pruner.reduction**cuts:.{DIGITS}g}") if cuts else whole

    def _without_length(self, cuts: int) -> list[str]:
        """The overrides, with the length of the training in the place of what was said of it."""
        if not cuts:
            return list(self.overrides)
        most, factor = self.cell.training.max_steps, self.protocol.pruner.reduction**cuts
        length = {EPOCHS: self.epochs(cuts)} | ({} if most is None else {STEPS: max(1, most // factor)})
        kept = [one for one in self.overrides if one.partition("=")[0].lstrip("+") not in length]
        return [*kept, *(f"{key}={word(value)}" for key, value in length.items())]

    def _fixed(self) -> dict[str, Any]:
        """The settings that trials share."""
        searched = {one.key for one in self.space.dimensions}
        settings = {key: value for key, value in self.cell.settings.items() if key != "seed"}
        return {key: _without(value, key, searched) for key, value in settings.items()}


def studies_of(cells: Mapping[Path, tuple[list[str], Cell]], typed: Iterable[str], protocol: Protocol) -> list[Study]:
    """A study for every model × task × method among an experiment's cells that trains something.

    Args:
        cells: as `select_cells` gives them, of one experiment.
        typed: the keys that the user gave.
        protocol: of all of them.

    Raises:
        UserError: a space that is none; a key that is both given and searched; tuning seeds among the report's; or
            cells of one model, task and method that differ in other settings.
    """
    reported = sorted({cell.seed for _, cell in cells.values()} & set(protocol.seeds))
    if reported:
        raise UserError(
            f"tuning_seeds={reported[0]} is a seed that the experiment reports; choose others, say tuning_seeds=1000"
        )
    given = {key for key in typed if "." in key}  # `method=…` takes another file; `method.mix=…` gives what is in it
    studies: dict[tuple[str, str, str], Study] = {}
    for overrides, cell in cells.values():
        if not cell.is_trained:
            continue  # there is nothing to search where nothing is trained
        space = space_of(cell)
        searched = {one.key for one in space.dimensions}
        for key in sorted(key for key in searched if any(key == one or key.startswith(f"{one}.") for one in given)):
            name = key.partition(".")[2]
            raise UserError(f"{key}=… is what is searched; give its range instead: 'method.search.{name}=[low,high]'")
        fixed = tuple(one for one in overrides if one.partition("=")[0] not in {*searched, "seed"})
        study = studies.setdefault((cell.model, cell.task, cell.method), Study(cell, fixed, space, protocol))
        if study.overrides != fixed:
            other = sorted(set(fixed) ^ set(study.overrides))
            raise UserError(
                f"the experiment has {study.title} with several settings ({', '.join(other)}), and one would be "
                f"chosen for all; give the key a single value"
            )
    for study in studies.values():
        _check_length(study)
    return list(studies.values())


def remarks(studies: Sequence[Study]) -> list[str]:
    """What a reader ought to know of the spaces."""
    found = [(study.cell.method, study.space.remark) for study in studies]
    return list(dict.fromkeys(f"method '{method}': {remark}" for method, remark in found if remark))


def _check_length(study: Study) -> None:
    """Refuse a training that is too short to be cut."""
    pruner, most = study.protocol.pruner, study.cell.training.max_steps
    shortest = pruner.reduction ** (pruner.rungs - 1)
    if most is not None and most < shortest:
        raise UserError(
            f"{STEPS}={most} of {study.title} cannot be cut to {pruner.share(pruner.rungs - 1)} of it, less than a "
            f"step: say {STEPS}={shortest} or more, fewer rungs=, or pruner=none"
        )


def _without(value: Any, section: str, searched: set[str]) -> Any:
    """A section without what is searched, at any depth."""
    if not isinstance(value, dict):
        return value
    return {
        key: _without(item, f"{section}.{key}", searched)
        for key, item in value.items()
        if f"{section}.{key}" not in searched
    }
