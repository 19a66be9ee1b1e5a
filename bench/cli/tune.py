"""`bench tune`: from a command line to studies, and to what they have chosen."""

import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from bench.cli.arguments import config_dir_and_rest
from bench.cli.tune_front import show_front
from bench.cli.tune_settings import TuneSettings
from bench.cli.tune_view import cost, show
from bench.configuration.cell import Cell
from bench.configuration.compose import Configurations
from bench.configuration.expansion import Expansion
from bench.records.glance import look
from bench.records.schema import Record
from bench.running.soundness import check_components
from bench.sweeping.hours import costs_of, hours
from bench.sweeping.selection import select_cells
from bench.sweeping.sweeper import ExperimentSweeper
from bench.sweeping.task import run_task
from bench.system.console import PlainConsole
from bench.system.gpus import without_gpus
from bench.system.terminal import say, warn
from bench.tuning.chosen import GROUP, write_chosen
from bench.tuning.pictures import write_pictures
from bench.tuning.protocol import Cells, Run, Search
from bench.tuning.study import Study, remarks, studies_of


def tune(arguments: Sequence[str]) -> int:
    """Search, print what was found, and write what was chosen.

    Returns:
        The exit code: 1 if a study has nothing to choose from, because all of its trials failed.
    """
    config_dir, rest = config_dir_and_rest(arguments)
    settings = TuneSettings.of(rest)
    with Configurations(config_dir) as configurations:
        search, run = prepared(settings, configurations)
        if settings.dry_run:
            foretell(search, settings)
            return 0
        results = search.run(run)
    console = PlainConsole()
    show(results, console)
    show_front(results, console)
    if settings.out is not None:
        paths = [*write_chosen(results, Path(settings.out)), *write_pictures(results, Path(settings.out))]
        say(f"written: {len(paths)} files in {settings.out}; run the final cells with:")
        words = [item for item in settings.cells if "method.search" not in item]
        say(f"  {shlex.join(['bench', 'sweep', '--config-dir', settings.out, *words])}")
        if config_dir is not None and Path(config_dir).resolve() != Path(settings.out).resolve():
            say(f"{config_dir} is a --config-dir too, and there can be one: move {settings.out}/{GROUP} into it")
    return 1 if any(result.best is None and not result.is_unsupported for result in results) else 0


def prepared(settings: TuneSettings, configurations: Configurations) -> tuple[Search, Run]:
    """The search and what runs its trials; says how many there are.

    Raises:
        UserError: what cannot be searched, or a journal of another search.
    """
    selected = select_cells(list(settings.cells), configurations.compose, configurations.folders)
    typed = [item.partition("=")[0].lstrip("+") for item in settings.cells]
    studies = studies_of(selected, typed, settings.protocol)
    for remark in remarks(studies):
        warn(remark)
    run = launch(configurations, settings.sweep)
    expansion = Expansion(configurations.compose, configurations.folders)
    search = Search(studies, lambda overrides: list(expansion.cells(overrides)), settings.rerun)
    known = search.known()
    with without_gpus():  # nothing is run here
        check_components(cell for _, cell in known.values())
    say(cost(studies, sum(record is not None for _, record in seen(known))), sys.stderr)
    return search, run


def foretell(search: Search, settings: TuneSettings, final: Cells | None = None) -> None:
    """Print what is searched, and the device-hours of the trials that have no record and of the cells that follow."""
    protocol, known = search.studies[0].protocol, list(seen(search.known()))
    for study in search.studies:
        say(f"{study.title}: {study.space}")
    costs = costs_of([*known, *seen(final or {})])
    if protocol.seconds is None:
        like: dict[tuple[str, str, str, float], list[tuple[Cell, Record | None]]] = {}
        for cell, record in known:
            like.setdefault((*kind_of(cell), cell.training.epochs), []).append((cell, record))
        left = [cell for study in search.studies for cell in _left(study, like)]
        say(f"the search: {hours(left, costs, settings.speed)}", sys.stderr)
    if final is not None:
        say(f"final cells: {hours([cell for _, cell in final.values()], costs, settings.speed)}", sys.stderr)


def _left(study: Study, like: Mapping[tuple[str, str, str, float], list[tuple[Cell, Record | None]]]) -> Iterator[Cell]:
    """A cell for each that has no record, as long as it; those that are known, by what they are of and their epochs."""
    protocol = study.protocol
    for cuts, count in protocol.pruner.counts(protocol.trials).items():
        known = like[(*kind_of(study.cell), study.epochs(cuts))]
        done = sum(record is not None for _, record in known)
        yield from [known[0][0]] * (count * len(protocol.seeds) - done)


def seen(cells: Cells) -> Iterator[tuple[Cell, Record | None]]:
    """Cells with their records."""
    return ((cell, look(folder, cell)) for folder, (_, cell) in cells.items())


def kind_of(cell: Cell) -> tuple[str, str, str]:
    """What a study is of."""
    return cell.model, cell.task, cell.method


def launch(configurations: Configurations, overrides: Sequence[str]) -> Run:
    """What runs trials: the sweeper and the launcher that the overrides choose."""
    sweeper = configurations.sweeper(overrides, run_task)
    assert isinstance(sweeper, ExperimentSweeper)

    def run(cells: Cells) -> list[str]:
        return [str(job.return_value) for job in sweeper.run(cells)]

    return run
