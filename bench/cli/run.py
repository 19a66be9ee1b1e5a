"""`bench run`: one cell, or with -m several."""

from collections.abc import Sequence

from bench.cli.arguments import config_dir_and_rest, without_setting
from bench.system.terminal import say


def run(arguments: Sequence[str]) -> int:
    """One cell, or with -m several."""
    if "-m" in arguments or "--multirun" in arguments:
        from bench.cli.sweep import multirun

        return multirun([argument for argument in arguments if argument not in ("-m", "--multirun")])
    from bench.configuration.compose import Configurations
    from bench.sweeping.single import run_single

    config_dir, rest = config_dir_and_rest(arguments)
    overrides, rerun = without_setting(rest, "rerun")
    with Configurations(config_dir) as configurations:
        cell = configurations.cell(overrides)
    record, path = run_single(cell, rerun)
    if record.metrics is not None:
        for metric, value in record.metrics.values.items():
            say(f"{metric}: " + ("not a number" if value is None else f"{value:.4f}"))
    say(path)
    return 0 if record.status == "done" else 1
