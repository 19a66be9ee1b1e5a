"""`bench status`: where the cells of an experiment stand."""

from collections.abc import Sequence

from bench.cli.arguments import config_dir_and_rest, form_and_rest
from bench.errors import UserError
from bench.system.terminal import say


def status(arguments: Sequence[str]) -> int:
    """Where the cells of an experiment stand."""
    from bench.cli.status_view import show
    from bench.configuration.compose import Configurations
    from bench.records.store import results_folder
    from bench.running.soundness import check_components
    from bench.sweeping.selection import select_cells
    from bench.sweeping.status import standings, to_json
    from bench.system.console import PlainConsole

    config_dir, rest = config_dir_and_rest(arguments)
    if not any(argument.startswith("experiment=") for argument in rest):
        raise UserError("name the experiment: bench status experiment=miniature/glue")
    form, overrides = form_and_rest(rest, ("text", "json"))
    with Configurations(config_dir) as configurations:
        cells = select_cells(overrides, configurations.compose, configurations.folders)
    for results_dir in {cell.config["results_dir"] for _, cell in cells.values()}:
        if not results_folder(results_dir).exists():
            raise UserError(f"cannot read the results folder {results_dir}: no such folder")
    if any(argument.lstrip("+~").startswith(("task.", "method.")) for argument in overrides):
        check_components(cell for _, cell in cells.values())  # else cells that cannot be would wait to be run
    found = standings({folder: cell for folder, (_, cell) in cells.items()})
    if form == "json":
        say(to_json(found))
    else:
        show(found, PlainConsole())
    return 0
