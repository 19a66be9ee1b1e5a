"""`bench sweep`: all cells of an experiment that are not done."""

from collections.abc import Sequence

from bench.cli.arguments import config_dir_and_rest, sweep_option
from bench.errors import UserError


def sweep(arguments: Sequence[str]) -> int:
    """All cells of an experiment that are not done."""
    if not any(argument.startswith("experiment=") for argument in arguments):
        raise UserError("name the experiment: bench sweep experiment=miniature/glue")
    return multirun(arguments)


def multirun(arguments: Sequence[str]) -> int:
    """Hand several cells to Hydra's sweeper and launcher."""
    from bench.configuration.compose import Configurations
    from bench.sweeping.task import run_task

    config_dir, overrides = config_dir_and_rest(arguments)
    with Configurations(config_dir) as configurations:
        statuses = configurations.sweep([sweep_option(override) for override in overrides], run_task)
    return 1 if "failed" in statuses else 0
