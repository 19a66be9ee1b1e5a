"""`bench cite`: BibTeX for what cells use."""

from collections.abc import Sequence

from bench.cli.arguments import config_dir_and_rest, without_setting
from bench.system.terminal import say


def cite(arguments: Sequence[str]) -> int:
    """BibTeX for what cells use."""
    from bench.cli.citations.cite import cite as entries_of
    from bench.configuration.compose import Configurations
    from bench.sweeping.selection import select_cells

    config_dir, rest = config_dir_and_rest(arguments)
    overrides = [*without_setting(rest, "seed")[0], "seed=0"]  # all seeds cite the same
    with Configurations(config_dir) as configurations:
        cells = select_cells(overrides, configurations.compose, configurations.folders)
    say(entries_of(cell for _, cell in cells.values()))
    return 0
