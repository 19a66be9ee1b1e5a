"""The sweeper: from an experiment to the cells that still have to be run, and on to whichever launcher is chosen."""

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol, runtime_checkable

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn
from hydra.errors import HydraException
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, RunMode, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict

from bench.configuration.ablation import Design, design_of, designed
from bench.configuration.cell import Cell
from bench.configuration.expansion import Compose, Expansion
from bench.configuration.experiment import FILTERS, grid_overrides
from bench.configuration.origins import Origins
from bench.configuration.other_families import check_families
from bench.configuration.words import options
from bench.errors import UserError, unknown_name
from bench.records.schema import RecordError, Status
from bench.records.store import folder_of, results_folder
from bench.running.soundness import check_components
from bench.sweeping.cost import Costs
from bench.sweeping.stale import SETTLED, STALE, Glances, Rerun, Seen, Verdicts, check_rerun, forced, refuse
from bench.system.gpus import without_gpus
from bench.system.terminal import say, warn

STATES = [*Status, STALE]
ALL = "method=all"
DESIGN = ("design", "experiment.design")  # of an ablation: as it is typed, and as Hydra knows it
NOT_ALL = ("peft/any", "untuned")  # one leaves something to the command line, one is no method
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


def select_cells(
    arguments: list[str], compose: Compose, folders: Sequence[Path], meanwhile: Callable[[], None] = lambda: None
) -> dict[Path, tuple[list[str], Cell]]:
    """The cells that a command line selects, whether they are done or not.

    Args:
        arguments: `experiment=NAME[,NAME …]` and further keys; see `grid_overrides`. `method=all` is every method that
            needs no further settings.
        compose: from overrides to a configuration.
        folders: where `compose` finds its configurations.
        meanwhile: called when the names are known to be right, before the cells are composed, which takes seconds.

    Returns:
        For each cell's folder its overrides and the cell; a cell that a grid has twice is there once.
    """
    overrides = selected(_every_method(arguments, folders), compose)
    meanwhile()
    cells: dict[Path, tuple[list[str], Cell]] = {}
    origins: dict[tuple[int, tuple[str, ...]], tuple[Origins | None, Origins | None]] = {}  # shared among many cells
    typed = {argument.partition("=")[0] for argument in arguments}
    for given, cell in zip(overrides, Expansion(compose, folders).cells(overrides), strict=True):
        by_grid = [key for key in (override.partition("=")[0] for override in given) if key not in typed]
        place = id(cell.origins), tuple(by_grid)
        if place not in origins:
            origins[place] = cell.origins, cell.set_by_grid(by_grid).origins
        known = replace(cell, origins=origins[place][1])
        cells.setdefault(folder_of(cell.config["results_dir"], cell), (given, known))
    check_families(cell for _, cell in cells.values())
    return cells


def _every_method(arguments: list[str], folders: Sequence[Path]) -> list[str]:
    if ALL not in arguments or "all" in (names := options(folders, "method")):
        return arguments
    chosen = [name for name in names if not name.startswith(NOT_ALL)]
    return [f"method={','.join(chosen)}" if argument == ALL else argument for argument in arguments]


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


def selected(arguments: list[str], compose: Callable[[list[str]], DictConfig]) -> list[list[str]]:
    """The overrides of each cell that a command line selects, whether it is done or not.

    Args:
        arguments: `experiment=NAME[,NAME …]` and further keys; see `grid_overrides`.
        compose: from overrides to a configuration.

    Raises:
        UserError: an unknown name, or there is nothing that the arguments select.
    """
    cells: list[list[str]] = []
    for experiment, given in _experiments(_parsed(arguments)):
        for key in FILTERS:
            for value in given.get(key, []):
                compose([f"{key}={value}"])  # raises for an unknown name, which a filter would pass over
        declared = compose([f"experiment={experiment}"]).experiment
        design = _design([word for key in DESIGN for word in given.get(key, [])], declared.design, experiment)
        filters = FILTERS if design is None else ("method",)
        settings = {key: values for key, values in given.items() if key not in DESIGN}
        chosen = [*grid_overrides(OmegaConf.to_container(declared.grid), settings, filters)]  # type: ignore[arg-type]
        chosen = chosen if design is None else designed(chosen, design, compose)
        cells += [[f"experiment={experiment}", *overrides] for overrides in chosen]
    if not cells:
        raise UserError(f"no cell is selected by: {' '.join(arguments)}")
    return cells


def _design(words: Sequence[str], declared: str | None, experiment: str) -> Design | None:
    """The design of an ablation: the command line's, else the experiment's; None: it is no ablation."""
    if len(words) > 1:
        raise UserError(f"design={','.join(words)}: one design at a time")
    if words and declared is None:
        raise UserError(f"design={words[0]}: '{experiment}' is no ablation; say experiment=ablation/METHOD")
    word = words[0] if words else declared
    return None if word is None else design_of(word)


def _summary(states: Iterable[str | None], only: Sequence[str] | None, pending: int) -> str:
    found = list(states)
    parts = [f"{len(found)} cells", f"{found.count(Status.done)} done already"]
    shown = [Status.unsupported, STALE] if only is None else [state for state in only if state != Status.done]
    parts += [f"{found.count(status)} {status}" for status in shown if status in found]
    return ", ".join([*parts, f"{pending} to run"])


def _parsed(arguments: list[str]) -> list[Override]:
    try:
        return OverridesParser.create().parse_overrides(arguments)
    except HydraException as error:
        raise UserError(f"cannot read the settings: {str(error).splitlines()[0]}") from error


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
