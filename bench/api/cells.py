"""`bench.cell`: one cell, planned and run from Python as `bench plan` and `bench run` do it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.api.told import in_one_line
from bench.api.words import Value, words_of
from bench.configuration.cell import Cell
from bench.configuration.compose import Configurations
from bench.errors import UserError
from bench.records.schema import Record
from bench.records.store import FILE, folder_of

if TYPE_CHECKING:  # it imports torch
    from bench.planning.plan import PlannedCell

Choice = str | Mapping[str, Value]  # the name of a file in configs/, or a mapping with it as `name`, and settings


@dataclass(frozen=True)
class RunnableCell:
    """One model × task × method × seed with all its settings, which are checked; made by `bench.cell`.

    Attributes:
        cell: as the house has it, with its `config`, `config_hash` and the origins of its settings.
    """

    cell: Cell

    @property
    def id(self) -> str:
        """Its name, which ends in a hash of its settings: `miniature_roberta-miniature_sst2-lora-s0-1f2e3d4c`."""
        return self.cell.id

    @property
    def path(self) -> Path:
        """The file of its record, which need not be there."""
        return folder_of(self.cell.config["results_dir"], self.cell) / FILE

    @in_one_line
    def plan(self, *, device_memory: int | str | None = None) -> "PlannedCell":
        """What the cell would need: parameters, and the peak memory of training; loads and downloads nothing.

        Args:
            device_memory: of a device that it should fit, in bytes or as "80GiB".

        Raises:
            UserError: nothing can be predicted, such as for a method that the model does not take.
        """
        [planned] = plans([self.cell], device_memory)
        if planned.prediction is None:
            raise UserError(planned.reason or "nothing can be predicted")
        return planned

    @in_one_line
    def run(self, *, rerun: str | None = None) -> Record:
        """Train, evaluate and measure the cell, unless it has a finished record, which is the answer then.

        Args:
            rerun: of a cell whose weights, data or own code have changed since: "stale" runs it again, "none" keeps the
                record; None refuses.

        Returns:
            The record, however the cell ended: see its `status` and `error`.

        Raises:
            UserError: a mistake, found before any training; or another process runs the cell now.
        """
        from bench.sweeping.single import run_single

        return run_single(self.cell, rerun)[0]


@in_one_line
def cell(
    model: Choice | None = None,
    task: Choice | None = None,
    method: Choice | None = None,
    *,
    config_dir: str | Path | None = None,
    **settings: Value,
) -> RunnableCell:
    """Compose and check the cell that `bench run` would run with the same settings.

    Args:
        model: its name, or a mapping with the `name` and settings, `{"name": "encoder", "path": "weights"}`; None: the
            one of `bench run` without it.
        task: likewise.
        method: likewise, `{"name": "lora", "r": 4}`.
        config_dir: a folder of your own, as `--config-dir`.
        settings: by the keys of the command line, `seed=1`, `**{"training.epochs": 2}`; of a section as a mapping,
            `training={"epochs": 2}`. A value arrives as it is: a text is no grammar.

    Raises:
        UserError: an unknown name, key or value, or two that exclude each other; one line.
    """
    words = words_of(named(model=model, task=task, method=method) | settings)
    with Configurations(None if config_dir is None else str(config_dir)) as configurations:
        return RunnableCell(configurations.cell(words))


def named(**choices: Any) -> dict[str, Any]:
    """The choices that were made."""
    return {key: choice for key, choice in choices.items() if choice is not None}


def plans(cells: list[Cell], device_memory: int | str | None) -> list["PlannedCell"]:
    """What cells would need, predicted in this process; of those that cannot be predicted, why.

    Raises:
        UserError: a task or a method does not take its settings, or no size of memory.
    """
    from bench.planning.asked import bytes_of
    from bench.planning.plan import plan
    from bench.running.soundness import check_components

    memory = None if device_memory is None else bytes_of(str(device_memory))
    check_components(cells)
    return list(plan(cells, memory))
