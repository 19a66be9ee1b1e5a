"""`bench tune`: from a command line to studies, and to what they have chosen."""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.cli.tune_settings import TuneSettings
from bench.cli.tune_view import cost, show
from bench.configuration.compose import Configurations
from bench.configuration.expansion import Expansion
from bench.records.glance import look
from bench.running.soundness import check_components
from bench.sweeping.sweeper import ExperimentSweeper, select_cells
from bench.sweeping.task import run_task
from bench.system.console import PlainConsole
from bench.system.gpus import without_gpus
from bench.system.terminal import say, warn
from bench.tuning.chosen import GROUP, write_chosen
from bench.tuning.pictures import write_pictures
from bench.tuning.protocol import Cells, Result, Run, Search
from bench.tuning.study import remarks, studies_of


def tune(config_dir: str | None, settings: TuneSettings) -> int:
    """Search, print what was found, and write what was chosen.

    Returns:
        The exit code: 1 if a study has nothing to choose from, because all of its trials failed.
    """
    with Configurations(config_dir) as configurations:
        results = _searched(settings, configurations)
    if not results:
        return 0
    show(results, PlainConsole())
    if settings.out is not None:
        paths = [*write_chosen(results, Path(settings.out)), *write_pictures(results, Path(settings.out))]
        say(f"written: {len(paths)} files in {settings.out}; run the final cells with:")
        words = [item for item in settings.cells if "method.search" not in item]
        say(f"  {shlex.join(['bench', 'sweep', '--config-dir', settings.out, *words])}")
        if config_dir is not None and Path(config_dir).resolve() != Path(settings.out).resolve():
            say(f"{config_dir} is a --config-dir too, and there can be one: move {settings.out}/{GROUP} into it")
    return 1 if any(result.best is None and not result.is_unsupported for result in results) else 0


def _searched(settings: TuneSettings, configurations: Configurations) -> list[Result]:
    """The results of the search; none after a dry run."""
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
    say(cost(studies, sum(look(folder, cell) is not None for folder, (_, cell) in known.items())), sys.stderr)
    if settings.dry_run:
        for study in studies:
            say(f"{study.title}: {study.space}")
        return []
    return search.run(run)


def launch(configurations: Configurations, overrides: Sequence[str]) -> Run:
    """What runs trials: the sweeper and the launcher that the overrides choose."""
    sweeper = configurations.sweeper(overrides, run_task)
    assert isinstance(sweeper, ExperimentSweeper)

    def run(cells: Cells) -> list[str]:
        return [str(job.return_value) for job in sweeper.run(cells)]

    return run
