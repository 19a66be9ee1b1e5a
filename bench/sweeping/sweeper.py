"""The sweeper: from an experiment to the cells that still have to be run, and on to whichever launcher is chosen."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, RunMode, TaskFunction
from omegaconf import DictConfig, open_dict

from bench.configuration.cell import Cell
from bench.configuration.trackers import check_installed
from bench.errors import UserError, unknown_name
from bench.records.schema import RecordError, Status
from bench.records.store import folder_of, results_folder
from bench.running.soundness import check_components
from bench.sweeping.announcement import announced
from bench.sweeping.cost import Costs
from bench.sweeping.selection import select_cells
from bench.sweeping.stale import SETTLED, STALE, Glances, Rerun, Seen, Verdicts, check_rerun, forced, refuse
from bench.system.gpus import without_gpus
from bench.system.terminal import say, warn

STATES = [*Status, STALE]
SAMPLES = 2  # records of a kind that tell what cells of this kind take


@runtime_checkable
class TakesCells(Protocol):
    """A launcher that takes composed cells; others are handed overrides, and compose again."""

    def launch_cells(self, cells: Sequence[Cell], costs: Costs) -> Sequence[JobReturn]:
        """Run the cells in this order; every one ends in a record."""


@runtime_checkable
class Prepares(Protocol):
    """A launcher that has something to do while the cells are composed."""

    def prepare(self) -> None:
        """Begin, in the background, with what has to be there before the first cell can run."""


class ExperimentSweeper(Sweeper):
    """Hands over the cells of one or several experiments that have no finished record yet."""

    def __init__(self, dry_run: bool, only: Sequence[str] | None = None, rerun: str | None = None) -> None:
        """Create the sweeper.

        Args:
            dry_run: name the cells instead of running them.
            only: run those whose record has one of these statuses, or that are "stale", and no others.
            rerun: "stale" or "none": run stale cells again, or keep them. None: nobody has said; then they are refused.

        Raises:
            UserError: there is no such status, or a setting is empty or not of its kind.
        """
        if not isinstance(dry_run, bool):
            raise UserError(f"dry_run={dry_run} must be true or false")
        self._dry_run = dry_run
        if only is not None and (isinstance(only, str) or not only):
            raise UserError(f"only= names no status; known: {', '.join(STATES)}")
        for status in only or ():
            if status not in STATES:
                raise unknown_name("status", status, STATES)
        self._only = None if only is None else list(only)
        check_rerun(rerun)
        self._rerun = rerun
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
            UserError: there is nothing that the arguments select; or there are stale cells, and it is not said whether
                they are to be run again.
        """
        assert self._context is not None
        search_path = self._context.config_loader.get_search_path().get_path()
        folders = [Path(item.path.removeprefix("file://")) for item in search_path if item.path.startswith("file://")]
        return self.run(select_cells(arguments, self._compose, folders, self._prepare))

    def run(self, cells: dict[Path, tuple[list[str], Cell]]) -> Sequence[JobReturn]:
        """Run those of the cells that are not done, longest first.

        Args:
            cells: as `select_cells` gives them.

        Raises:
            UserError: there are stale cells, and it is not said whether they are to be run again.
        """
        assert self._launcher is not None
        cells = dict(cells)
        for results_dir in {cell.config["results_dir"] for _, cell in cells.values()}:
            results_folder(results_dir)  # raises for a file where the folder should be
        seen = _seen(cells)
        cells = {folder: cells[folder] for folder in seen}
        states = {folder: None if one is None else one.state for folder, one in seen.items()}
        for folder, state in states.items():
            if state == STALE and self._runs(cells[folder][1], state):
                cells[folder] = [*cells[folder][0], "force=true"], forced(cells[folder][1])
        pending = [folder for folder, state in states.items() if self._runs(cells[folder][1], state)]
        verdicts = Verdicts(seen)
        if self._only is None and self._rerun is None and not set(verdicts.stale) <= set(pending):
            raise refuse(verdicts.reasons)
        check_installed(cells[folder][1].config for folder in pending)
        with without_gpus():  # nothing is run here
            check_components(cells[folder][1] for folder in pending)
        say("\n".join([_summary(states.values(), self._only, len(pending)), *verdicts.remarks]), sys.stderr)
        costs = measured_costs([cells[folder][1] for folder in pending], {f: cells[f][1] for f in cells}, seen)
        ordered = costs.longest_first(cells[folder][1] for folder in pending)
        for inherited in dict.fromkeys(cell.inherited for cell in ordered if cell.inherited):
            warn(inherited)
        if self._dry_run:
            for cell in ordered:
                say(cell.id)
            return []
        if not ordered:
            return []
        with announced(ordered, costs):
            if isinstance(self._launcher, TakesCells):
                return self._launcher.launch_cells(ordered, costs)
            overrides = [cells[folder_of(cell.config["results_dir"], cell)][0] for cell in ordered]
            return self._launcher.launch(overrides, initial_job_idx=0)

    def _prepare(self) -> None:
        if isinstance(self._launcher, Prepares) and not self._dry_run:
            self._launcher.prepare()

    def _runs(self, cell: Cell, state: str | None) -> bool:
        if self._only is not None:
            return state in self._only
        if state == STALE and self._rerun == Rerun.stale:
            return True
        return cell.config["force"] or state not in (*SETTLED, STALE)

    def _compose(self, overrides: list[str]) -> DictConfig:
        assert self._context is not None
        composed = self._context.config_loader.load_configuration("config", overrides, run_mode=RunMode.RUN)
        with open_dict(composed):
            del composed["hydra"]  # the longest section, and none of a cell's
        return composed


def _seen(cells: Mapping[Path, tuple[list[str], Cell]]) -> dict[Path, Seen | None]:
    """What there is of each cell; one whose record cannot be read is left to the user, who is told."""
    glances, seen = Glances(), {}
    for folder, (_, cell) in cells.items():
        try:
            seen[folder] = glances.at(folder, cell)
        except RecordError as error:
            warn(f"{error}; the cell is passed over: mend the file, or remove it to run the cell again")
    return seen


def measured_costs(pending: Sequence[Cell], cells: Mapping[Path, Cell], seen: Mapping[Path, Seen | None]) -> Costs:
    """What the pending cells will cost, by what a few finished cells that are like them took."""
    costs = Costs()
    wanted = {(cell.model, cell.task) for cell in pending}
    taken: dict[tuple[str, str, str], int] = {}
    for folder, cell in cells.items():
        kind, one = (cell.model, cell.task, cell.method), seen[folder]
        if one is None or one.status != Status.done or one.seconds is None:
            continue
        if kind[:2] in wanted and taken.get(kind, 0) < SAMPLES:
            taken[kind] = taken.get(kind, 0) + 1
            costs.observe(cell, one.seconds)
    return costs


def _summary(states: Iterable[str | None], only: Sequence[str] | None, pending: int) -> str:
    found = list(states)
    parts = [f"{len(found)} cells", f"{found.count(Status.done)} done already"]
    shown = [Status.unsupported, STALE] if only is None else [state for state in only if state != Status.done]
    parts += [f"{found.count(status)} {status}" for status in shown if status in found]
    return ", ".join([*parts, f"{pending} to run"])
