"""`bench fetch`: models and data, into the hub's cache."""

from collections.abc import Sequence

from bench.cli.arguments import config_dir_and_rest
from bench.system.terminal import say


def fetch(arguments: Sequence[str]) -> int:
    """Models and data, into the hub's cache."""
    from bench.configuration.compose import Configurations
    from bench.configuration.expansion import Expansion
    from bench.sweeping.fetch import differing, fetch_all
    from bench.sweeping.selection import selected

    config_dir, overrides = config_dir_and_rest(arguments)
    with Configurations(config_dir) as configurations:
        wanted = differing(selected(overrides, configurations.compose))
        cells = list(Expansion(configurations.compose, configurations.folders).cells(wanted))
    fetch_all(cells, say)
    return 0
