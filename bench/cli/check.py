"""`bench check`: what is named is looked at: a task, else a method, else a model."""

from collections.abc import Sequence
from dataclasses import asdict
from functools import partial

from bench.cli.arguments import config_dir_and_rest, form_and_rest, without_setting
from bench.configuration.compose import Configurations
from bench.errors import UserError
from bench.system.terminal import say

OF_MODEL = ("model", "seed")  # sections of a cell that a look at a model reads
FILES = ("model.path", "model.hub")


def check(arguments: Sequence[str]) -> int:
    """Look at a task as a model is given it, at whether a method keeps its word, or at a model.

    Returns:
        1 where a method breaks a promise or a check of a model fails, else 0.

    Raises:
        UserError: what a run would refuse of a task; names and settings that there are not.
    """
    config_dir, rest = config_dir_and_rest(arguments)
    form, overrides = form_and_rest(rest, ("text", "json"))
    named = {_key(override).partition(".")[0] for override in overrides}
    with Configurations(config_dir) as configurations:
        if "task" in named or not named & {"method", "model"}:
            return _check_task(configurations, overrides, form)
        if "method" in named:
            return _check_method(configurations, overrides, form)
        return _check_model(configurations, overrides, form)


def _check_task(configurations: Configurations, overrides: Sequence[str], form: str) -> int:
    from bench.cli.check_view import show_task, to_json
    from bench.running.task_check import look_at_task
    from bench.system.console import PlainConsole

    found = look_at_task(configurations.cell(overrides))
    say(to_json(asdict(found))) if form == "json" else show_task(found, PlainConsole())
    return 0


def _check_method(configurations: Configurations, overrides: Sequence[str], form: str) -> int:
    from bench.cli.check_view import show_methods, to_json
    from bench.running.method_check import CELLS, SETTINGS, look_at_method
    from bench.system.console import PlainConsole

    if others := {_key(override).partition(".")[0] for override in overrides} & {"model", "experiment"}:
        raise UserError(f"check method=… tries the package's own small models; leave out {min(others)}=")
    cells = {
        family: configurations.cell([f"model={model}", f"task={task}", *SETTINGS, *overrides])
        for family, (model, task) in CELLS.items()
    }
    reports = [look_at_method(cell, family) for family, cell in cells.items()]
    say(to_json([asdict(one) for one in reports])) if form == "json" else show_methods(reports, PlainConsole())
    return 1 if any(report.broken for report in reports) else 0


def _check_model(configurations: Configurations, overrides: Sequence[str], form: str) -> int:
    from bench.cli.check_view import show_model, to_json
    from bench.running.model_check.look import look_at_model
    from bench.running.model_check.methods import MADE_OF_OTHERS
    from bench.system.console import PlainConsole

    settings, sample = without_setting(overrides, "sample")
    if others := [key for key in map(_key, settings) if key.partition(".")[0] not in OF_MODEL]:
        raise UserError(f"check model=… looks at the model alone; leave out {others[0]}=, or name a task")
    settings = _with_family(configurations, settings)
    methods = [name for name in configurations.options("method") if name not in MADE_OF_OTHERS]
    cells = {name: partial(configurations.cell, [*settings, f"method={name}"]) for name in methods}
    found = look_at_model(configurations.cell(settings), cells, sample)
    if form == "json":
        say(to_json(asdict(found) | {"conclusion": found.conclusion}))
    else:
        show_model(found, PlainConsole())
    return 1 if found.failed else 0


def _with_family(configurations: Configurations, settings: list[str]) -> list[str]:
    """Of files that no model is named for, the type tells the family."""
    keys = {_key(override) for override in settings}
    if "model" in keys or not keys & set(FILES):
        return settings
    from bench.models.auto_classes import family_of
    from bench.models.load import load_architecture

    base = configurations.cell(["model=encoder", *settings]).base
    return [f"model={family_of(load_architecture(base, None))}", *settings]


def _key(override: str) -> str:
    return override.partition("=")[0].lstrip("+~")
