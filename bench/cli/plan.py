"""`bench plan`: what the cells of an experiment will need."""

from collections.abc import Sequence

from bench.cli.arguments import config_dir_and_rest
from bench.errors import UserError
from bench.system.terminal import say

PLANS = "bench.planning.plan"


def plan(arguments: Sequence[str]) -> int:
    """What the cells of an experiment will need."""
    from bench.cli.plan_settings import PlanSettings
    from bench.configuration.compose import Configurations
    from bench.planning.pool import beside
    from bench.sweeping.selection import select_cells

    config_dir, rest = config_dir_and_rest(arguments)
    settings, overrides = PlanSettings.of(rest)
    with Configurations(config_dir) as configurations:
        selected = select_cells(overrides, configurations.compose, configurations.folders)
    cells = [cell for _, cell in selected.values()]
    with beside(len({(cell.model, cell.task, cell.method) for cell in cells}), settings.workers, PLANS) as others:
        # Only now what is heavy: the other processes import it at the same time.
        from bench.cli.plan_progress import PlanProgress
        from bench.cli.plan_view import show
        from bench.planning.plan import plan as plan_cells
        from bench.planning.plan import to_json
        from bench.running.soundness import check_components
        from bench.system.console import PlainConsole

        check_components(cells)
        with PlanProgress(len(cells)) as progress:
            made = plan_cells(cells, settings.memory, progress.predicting, trace=settings.trace, others=others)
            planned = [progress.finish(cell) for cell in made]
    if all(cell.prediction is None for cell in planned):
        raise UserError(planned[0].reason or "nothing can be predicted")
    if settings.form == "json":
        say(to_json(planned))
    else:
        show(planned, PlainConsole())
    return 0
