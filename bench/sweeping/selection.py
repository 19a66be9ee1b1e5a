"""From a command line to the cells that it selects, whether they are done or not."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

from bench.configuration.ablation import Design, design_of, designed
from bench.configuration.cell import Cell
from bench.configuration.expansion import Compose, Expansion
from bench.configuration.experiment import FILTERS, grid_overrides
from bench.configuration.origins import Origins
from bench.configuration.other_families import check_families
from bench.configuration.words import options
from bench.errors import UserError
from bench.records.store import folder_of

ALL = "method=all"
DESIGN = ("design", "experiment.design")  # of an ablation: as it is typed, and as Hydra knows it
TRACKER = "tracker"
NOT_ALL = ("peft/any", "untuned")  # one leaves something to the command line, one is no method


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
        words = [str(value) for value in values]
        # Several trackers are told about the same cells, with whichever brackets.
        is_one = is_list and override.key_or_group == TRACKER
        given[override.get_key_element()] = (
            [f"[{','.join(words)}]"] if is_one else words
        )  # a plus sign stays in the key
    return [(name, given) for name in given.pop("experiment", ["runs"])]
