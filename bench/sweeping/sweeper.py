"""The sweeper: from an experiment to the cells that still have to be run, and on to whichever launcher is chosen."""

import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, RunMode, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict

from bench.configuration.cell import Cell
from bench.configuration.expansion import Compose, Expansion
from bench.configuration.experiment import FILTERS, grid_overrides
from bench.errors import UserError, unknown_name
from bench.records.glance import status_of
from bench.records.schema import RecordError, Status
from bench.records.store import FILE, folder_of, read_record, results_folder
from bench.sweeping.cost import Costs
from bench.system.terminal import say, warn

SETTLED = (Status.done, Status.unsupported)  # how cells end that are not run again
SAMPLES = 2  # records of a kind that are read for what cells of this kind take


@runtime_checkable
class TakesCells(Protocol):
    """A launcher that takes composed cells; others are handed overrides, and compose again."""

    def launch_cells(self, cells: Sequence[Cell], costs: Costs) -> Sequence[JobReturn]:
        """Run the cells in this order; every one ends in a record."""


class ExperimentSweeper(Sweeper):
    """Hands over the cells of one or several experiments that have no finished record yet."""

    def __init__(self, dry_run: bool, only: Sequence[str] | None = None) -> None:
        """Create the sweeper.

        Args:
            dry_run: name the cells instead of running them.
            only: run those whose record has one of these statuses, and no others.

        Raises:
            UserError: there is no such status.
        """
        self._dry_run = dry_run
        for status in only or ():
            if status not in list(Status):
                raise unknown_name("status", status, list(Status))
        self._only = None if only is None else [Status(status) for status in only]
        self._context: HydraContext | None = None
        self._launcher: Launcher | None = None

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Called by Hydra once, before `sweep`."""
        self._context = hydra_context
        self._launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> Sequence[JobReturn]:
        """Run every cell that the command line's overrides select and that is not done, longest first.

        Raises:
            UserError: there is nothing that the arguments select.
        """
        assert self._context is not None
        assert self._launcher is not None
        search_path = self._context.config_loader.get_search_path().get_path()
        folders = [Path(item.path.removeprefix("file://")) for item in search_path if item.path.startswith("file://")]
        cells = select_cells(arguments, self._compose, folders)
        for results_dir in {cell.config["results_dir"] for _, cell in cells.values()}:
            results_folder(results_dir)  # raises for a file where the folder should be
        statuses = _statuses(cells)
        cells = {folder: cells[folder] for folder in statuses}
        pending = [folder for folder, status in statuses.items() if self._wanted(cells[folder][1], status)]
        say(_summary(statuses.values(), self._only, len(pending)), sys.stderr)
        costs = measured_costs([cells[folder][1] for folder in pending], {f: cells[f][1] for f in cells}, statuses)
        ordered = costs.longest_first(cells[folder][1] for folder in pending)
        if self._dry_run:
            for cell in ordered:
                say(cell.id)
            return []
        if not ordered:
            return []
        if isinstance(self._launcher, TakesCells):
            return self._launcher.launch_cells(ordered, costs)
        overrides = [cells[folder_of(cell.config["results_dir"], cell)][0] for cell in ordered]
        return self._launcher.launch(overrides, initial_job_idx=0)

    def _wanted(self, cell: Cell, status: Status | None) -> bool:
        if self._only is not None:
            return status in self._only
        return cell.config["force"] or status not in SETTLED

    def _compose(self, overrides: list[str]) -> DictConfig:
        assert self._context is not None
        composed = self._context.config_loader.load_configuration("config", overrides, run_mode=RunMode.RUN)
        with open_dict(composed):
            del composed["hydra"]  # the longest section, and none of a cell's
        return composed


def _statuses(folders: Iterable[Path]) -> dict[Path, Status | None]:
    """How each cell ended; one whose record cannot be read is left to the user, who is told, and the others go on."""
    statuses = {}
    for folder in folders:
        try:
            statuses[folder] = status_of(folder)
        except RecordError as error:
            warn(f"{error}; the cell is passed over: mend the file, or remove it to run the cell again")
    return statuses


def select_cells(arguments: list[str], compose: Compose, folders: Sequence[Path]) -> dict[Path, tuple[list[str], Cell]]:
    """The cells that a command line selects, whether they are done or not.

    Args:
        arguments: `experiment=NAME[,NAME …]` and further keys; see `grid_overrides`.
        compose: from overrides to a configuration.
        folders: where `compose` finds its configurations.

    Returns:
        For each cell's folder its overrides and the cell; a cell that a grid has twice is there once.
    """
    overrides = selected(arguments, compose)
    cells: dict[Path, tuple[list[str], Cell]] = {}
    for given, cell in zip(overrides, Expansion(compose, folders).cells(overrides), strict=True):
        cells.setdefault(folder_of(cell.config["results_dir"], cell), (given, cell))
    return cells


def measured_costs(pending: Sequence[Cell], cells: dict[Path, Cell], statuses: dict[Path, Status | None]) -> Costs:
    """What the pending cells will cost, by a few records of finished cells that are like them."""
    costs = Costs()
    wanted = {(cell.model, cell.task) for cell in pending}
    read: dict[tuple[str, str, str], int] = {}
    for folder, cell in cells.items():
        kind = (cell.model, cell.task, cell.method)
        if statuses[folder] == Status.done and kind[:2] in wanted and read.get(kind, 0) < SAMPLES:
            read[kind] = read.get(kind, 0) + 1
            seconds = read_record(folder / FILE).time.total
            if seconds is not None:
                costs.observe(cell, seconds)
    return costs


def selected(arguments: list[str], compose: Callable[[list[str]], DictConfig]) -> list[list[str]]:
    """The overrides of each cell that a command line selects, whether it is done or not.

    Args:
        arguments: `experiment=NAME[,NAME …]` and further keys; see `grid_overrides`.
        compose: from overrides to a configuration.

    Raises:
        UserError: an unknown name, or there is nothing that the arguments select.
    """
    cells: list[list[str]] = []
    for experiment, given in _experiments(OverridesParser.create().parse_overrides(arguments)):
        for key in FILTERS:
            for value in given.get(key, []):
                compose([f"{key}={value}"])  # raises for an unknown name, which a filter would pass over
        grid = compose([f"experiment={experiment}"]).experiment.grid
        choices = grid_overrides(OmegaConf.to_container(grid), given)  # type: ignore[arg-type]
        cells += [[f"experiment={experiment}", *overrides] for overrides in choices]
    if not cells:
        raise UserError(f"no cell is selected by: {' '.join(arguments)}")
    return cells


def _summary(statuses: Iterable[Status | None], only: Sequence[Status] | None, pending: int) -> str:
    found = list(statuses)
    parts = [f"{len(found)} cells", f"{found.count(Status.done)} done already"]
    shown = [Status.unsupported] if only is None else [status for status in only if status != Status.done]
    parts += [f"{found.count(status)} {status}" for status in shown if status in found]
    return ", ".join([*parts, f"{pending} to run"])


def _experiments(overrides: list[Override]) -> list[tuple[str, dict[str, list[str]]]]:
    """The experiments that are asked for, each with all other keys and their values."""
    given: dict[str, list[str]] = {}
    for override in overrides:
        if override.is_sweep_override() and not override.is_discrete_sweep():
            raise UserError(f"{override.input_line}: a sweep takes a list of values, key=a,b,c")
        is_list = override.is_sweep_override()
        values = override.sweep_string_iterator() if is_list else [override.get_value_element_as_str()]
        given[override.get_key_element()] = [str(value) for value in values]  # with a plus sign, if it has one
    return [(name, given) for name in given.pop("experiment", ["runs"])]
