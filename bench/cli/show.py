"""`bench show`: one cell as it is composed."""

from collections.abc import Sequence

from bench.cli.arguments import config_dir_and_rest, form_and_rest
from bench.system.terminal import say


def show(arguments: Sequence[str]) -> int:
    """One cell as it is composed, each value with its origin; runs nothing."""
    from bench.cli.show_view import FORMATS, shown
    from bench.configuration.compose import Configurations
    from bench.models.declared import DISCOVER
    from bench.running.soundness import check_components

    config_dir, rest = config_dir_and_rest(arguments)
    form, overrides = form_and_rest(rest, FORMATS)
    with Configurations(config_dir) as configurations:
        cell = configurations.cell(overrides)
    check_components([cell])
    found = None
    if cell.config["model"]["structure"] == DISCOVER:
        from bench.models.found import look

        found = look(cell.base)
    say(shown(cell, form, found))
    return 0
