"""`bench run`: one cell, or with -m several."""

import sys
from collections.abc import Sequence

from bench.cli.arguments import config_dir_and_rest, without_setting
from bench.system.terminal import say


def run(arguments: Sequence[str]) -> int:
    """One cell, or with -m several."""
    if "-m" in arguments or "--multirun" in arguments:
        from bench.cli.sweep import multirun

        return multirun([argument for argument in arguments if argument not in ("-m", "--multirun")])
    from bench.configuration.compose import Configurations
    from bench.records.store import FILE, folder_of, read_record, stamp_of
    from bench.sweeping.stale import settled

    config_dir, rest = config_dir_and_rest(arguments)
    overrides, rerun = without_setting(rest, "rerun")
    with Configurations(config_dir) as configurations:
        cell = configurations.cell(overrides)
    folder = folder_of(cell.config["results_dir"], cell)
    planned = stamp_of(folder)
    cell, is_settled = settled(folder, cell, rerun)
    if is_settled:
        record, path = read_record(folder / FILE), folder / FILE
        say(f"{cell.id} is done already; force=true runs it again", sys.stderr)
    else:
        from bench.running.attempt import run_claimed
        from bench.sweeping.progress import CellProgress

        with CellProgress(1) as progress:
            record, path = run_claimed(cell, lambda *where: progress.update(cell.id, *where), planned=planned)
            progress.finish(cell.id, record)
    if record.metrics is not None:
        for metric, value in record.metrics.values.items():
            say(f"{metric}: " + ("not a number" if value is None else f"{value:.4f}"))
    say(path)
    return 0 if record.status == "done" else 1
