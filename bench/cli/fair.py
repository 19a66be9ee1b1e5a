"""`bench fair`: one method and its baselines, tuned alike, run with other seeds, compared, and told in words."""

import sys
from collections.abc import Sequence
from pathlib import Path

from bench.cli.arguments import config_dir_and_rest
from bench.cli.fair_settings import FairSettings
from bench.cli.tune import foretell, kind_of, launch, prepared
from bench.cli.tune_view import show
from bench.configuration.compose import Configurations
from bench.errors import UserError
from bench.records.glance import look
from bench.records.schema import Record, Status
from bench.sweeping.selection import select_cells
from bench.system.console import PlainConsole
from bench.system.links import own_file
from bench.system.terminal import say
from bench.tuning.chosen import write_chosen
from bench.tuning.protocol import Cells, run_to_records
from bench.tuning.result import Result
from bench.tuning.statement import Comparison, to_latex, to_markdown, to_text

CHOSEN = "settings"  # below the comparison's folder: a --config-dir
TABLES = ("csv", "latex", "markdown")


def fair(arguments: Sequence[str]) -> int:
    """Search, run the final cells, and write and print what came of it.

    Returns:
        The exit code: 1 if a method could not be tuned, or a final cell failed.
    """
    config_dir, rest = config_dir_and_rest(arguments)
    settings = FairSettings.of(rest)
    with Configurations(config_dir) as configurations:
        search, run = prepared(settings.tune, configurations)
        cells = select_cells(list(settings.cells), configurations.compose, configurations.folders)
        say(f"final cells: {_counted(cells)}, with the settings that are chosen, in {settings.folder}", sys.stderr)
        if settings.tune.dry_run:
            foretell(search, settings.tune, cells)
            return 0
        results = search.run(run)
    show(results, PlainConsole())
    write_chosen(results, settings.folder / CHOSEN)
    if all(result.best is None for result in results if result.study.cell.method == settings.method):
        say(f"bench: {settings.method} could not be tuned: none of its trials has a score", sys.stderr)
        return 1
    final = _run_final(config_dir, settings, results)
    records = [look(folder, cell) for folder, (_, cell) in final.items()]
    _report(config_dir, settings, results, [record for record in records if record is not None])
    is_whole = all(record is not None and record.status == Status.done for record in records)
    return 0 if is_whole and all(result.best is not None or result.is_unsupported for result in results) else 1


def _counted(cells: Cells) -> str:
    """`3 methods × 2 tasks × 5 seeds = 30 cells`."""
    every = [cell for _, cell in cells.values()]
    counts = {name: len({getattr(cell, name) for cell in every}) for name in ("method", "model", "task", "seed")}
    words = [f"{count} {name}{'' if count == 1 else 's'}" for name, count in counts.items()]
    return f"{' × '.join(words)} = {len(every)} cells"


def _run_final(config_dir: str | None, settings: FairSettings, results: Sequence[Result]) -> Cells:
    """Run the final cells of what was chosen; where nothing was, settings would be of another kind."""
    chosen = {kind_of(result.study.cell) for result in results if result.best is not None}
    with Configurations(str(settings.folder / CHOSEN), config_dir) as configurations:
        cells = select_cells(list(settings.cells), configurations.compose, configurations.folders)
        cells = {folder: one for folder, one in cells.items() if kind_of(one[1]) in chosen}
        run_to_records(cells, launch(configurations, settings.tune.sweep))
    return cells


def _report(
    config_dir: str | None, settings: FairSettings, results: Sequence[Result], records: Sequence[Record]
) -> None:
    """Print and write the table, the comparison and the text."""
    from bench.tables import make_table, render_text, write
    from bench.tables.contest import FORMATS, make_contest, write_contest

    table = make_table(settings.results_dir, settings.experiment, "scores", None, config_dir)
    contest = make_contest(settings.results_dir, settings.experiment, settings.method, config_dir)
    comparison = Comparison(settings.method, results, records, table, contest)
    render_text(table, PlainConsole())
    say(f"\n{FORMATS['text'][1](contest)}\n\n{to_text(comparison)}\n")
    paths = [path for name in TABLES for path in write(table, name, settings.folder)]
    paths += [path for form in FORMATS for path in write_contest(contest, form, str(settings.folder))]
    for suffix, text in {"md": to_markdown(comparison), "tex": to_latex(comparison)}.items():
        path = own_file(settings.folder / f"{settings.experiment.replace('/', '-')}-protocol.{suffix}")
        _write(path, text)
        paths.append(path)
    say(f"written: {len(paths)} files in {settings.folder}; what was chosen is in {settings.folder / CHOSEN}")


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}") from error
