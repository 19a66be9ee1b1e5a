"""`bench.sweep`: an experiment's cells, planned and run from Python as `bench plan` and `bench sweep` do it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.api.cells import Choice, RunnableCell, named, plans
from bench.api.told import in_one_line
from bench.api.words import Value, choices_of, words_of
from bench.configuration.cell import Cell
from bench.configuration.compose import Configurations

if TYPE_CHECKING:  # they import torch and pandas
    import pandas as pd

    from bench.planning.plan import PlannedCell


@dataclass(frozen=True)
class Sweep:
    """The cells of one or several experiments, done or not; made by `bench.sweep`.

    Attributes:
        selected: for each cell's folder, its settings as on a command line, and the cell.
        config_dir: the folder of your own that they were composed with.
    """

    selected: dict[Path, tuple[list[str], Cell]]
    config_dir: str | None = None

    @property
    def cells(self) -> list[RunnableCell]:
        """Each of them by itself."""
        return [RunnableCell(cell) for _, cell in self.selected.values()]

    @in_one_line
    def plan(self, *, device_memory: int | str | None = None) -> list["PlannedCell"]:
        """What each cell would need; `prediction` is None, with a `reason`, where that cannot be said.

        Args:
            device_memory: of a device that they should fit, in bytes or as "80GiB".
        """
        return plans([cell for _, cell in self.selected.values()], device_memory)

    @in_one_line
    def run(
        self,
        *,
        workers: int | None = None,
        timeout: float | None = None,
        only: Sequence[str] | None = None,
        rerun: str | None = None,
        launcher: str = "local",
    ) -> "pd.DataFrame":
        """Run every cell that has no finished record yet, longest first.

        Args:
            workers: cells at a time; None: as the launcher has it.
            timeout: seconds that a cell may take.
            only: run those that ended so, such as ["failed", "out_of_memory"], and no others.
            rerun: of cells whose weights, data or own code have changed since: "stale" runs them again, "none" keeps
                their records; None refuses.
            launcher: "local", "slurm", "ray", or a file of your own in `hydra/launcher/`.

        Returns:
            The records of all cells of the sweep that have one, as `bench.records` gives them.

        Raises:
            UserError: a mistake, found before any cell is run. A cell that fails ends in a record that says so.
        """
        from bench.api.frames import records_at
        from bench.sweeping.sweeper import ExperimentSweeper
        from bench.sweeping.task import run_task

        options: dict[str, Any] = {"hydra.launcher.workers": workers, "hydra.launcher.timeout": timeout}
        options |= {"hydra.sweeper.only": None if only is None else list(only), "hydra.sweeper.rerun": rerun}
        words = words_of({"hydra/launcher": launcher} | named(**options))
        with Configurations(self.config_dir) as configurations:
            sweeper = configurations.sweeper(words, run_task)
            assert isinstance(sweeper, ExperimentSweeper)
            sweeper.run(self.selected)
        return records_at([str(cell.path) for cell in self.cells if cell.path.exists()])


@in_one_line
def sweep(
    experiment: str | Sequence[str] = "runs",
    *,
    model: Choice | Sequence[str] | None = None,
    task: Choice | Sequence[str] | None = None,
    method: Choice | Sequence[str] | None = None,
    config_dir: str | Path | None = None,
    **settings: Value,
) -> Sweep:
    """Select and check the cells that `bench sweep` would run with the same settings.

    Args:
        experiment: its name, or several. That of `bench run` has no grid: what is given is all there is.
        model: the model of the experiment's grid to keep, or a list of them; None: all.
        task: likewise.
        method: likewise.
        config_dir: a folder of your own, as `--config-dir`.
        settings: of all cells, as those of `bench.cell`. A list has a value for each of several cells, as in an
            experiment's grid, `seed=[0, 1, 2]`; a list as one value is a list in a list.

    Raises:
        UserError: an unknown name, key or value, or nothing is selected; one line.
    """
    from bench.sweeping.selection import select_cells

    folder = None if config_dir is None else str(config_dir)
    words = choices_of(named(experiment=experiment, model=model, task=task, method=method) | settings)
    with Configurations(folder) as configurations:
        return Sweep(select_cells(words, configurations.compose, configurations.folders), folder)
