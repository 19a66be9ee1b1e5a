"""Reading a command line: settings are key=value."""

from collections.abc import Sequence

from bench.configuration.names import check_path
from bench.errors import UserError, unknown_name
from bench.system.links import stays_inside

# What `bench sweep` takes for itself, and where Hydra's configuration has it.
SWEEP_OPTIONS = {
    "dry_run": "hydra.sweeper.dry_run",
    "only": "hydra.sweeper.only",
    "rerun": "hydra.sweeper.rerun",
    "design": "experiment.design",
    "workers": "hydra.launcher.workers",
    "timeout": "hydra.launcher.timeout",
}

PATHS = ("results_dir", "out")  # settings that name a folder


def sweep_option(override: str) -> str:
    """The override in Hydra's words, for one in the words of `bench sweep`."""
    key, separator, value = override.partition("=")
    if key == "only":
        value = f"[{value.strip('[]')}]"  # not several sweeps, but one list
    return f"{SWEEP_OPTIONS.get(key, key)}{separator}{value}"


def own_settings(command: str, arguments: Sequence[str], known: Sequence[str]) -> dict[str, str]:
    """Read a command's own key=value settings.

    Raises:
        UserError: an unknown key, no setting at all, or a folder without a name.
    """
    given = {}
    for argument in arguments:
        key, separator, value = argument.partition("=")
        if not separator:
            raise UserError(f"cannot read '{argument}'; settings are key=value")
        if key not in known:
            raise unknown_name(f"setting of {command}", key, known)
        given[key] = check_path(key, value) if key in PATHS else value
    return given


def check_out(out: str, folder: str, results_dir: str | None) -> None:
    """Refuse to write where only a link leads.

    Args:
        out: where to write.
        folder: itself, or one below it.
        results_dir: whose part `out` is, where the user has not named it.

    Raises:
        UserError: a link leads out of these.
    """
    if not stays_inside(folder, out) or (results_dir is not None and not stays_inside(out, results_dir)):
        raise UserError(f"{folder}: a link leads elsewhere; name the folder to write to: out=FOLDER")


def config_dir_and_rest(arguments: Sequence[str]) -> tuple[str | None, list[str]]:
    """Take `--config-dir FOLDER` out of the arguments; what remains must be overrides.

    Raises:
        UserError: no folder is named, or something remains that is no override.
    """
    rest, config_dir = list(arguments), None
    for index, argument in enumerate(rest):
        flag, _, value = argument.partition("=")
        if flag in ("--config-dir", "-cd"):
            beside = "=" not in argument
            if beside and index + 1 == len(rest):
                raise UserError("--config-dir needs a folder")
            config_dir = check_path("--config-dir", rest[index + 1] if beside else value)
            del rest[index : index + (2 if beside else 1)]
            break
    for argument in rest:
        if argument.startswith(("-", "=")) or "=" not in argument:
            raise UserError(f"cannot read '{argument}'; settings are key=value")
    return config_dir, rest


def without_setting(arguments: Sequence[str], key: str) -> tuple[list[str], str | None]:
    """Take a setting of the command's own out of the arguments; its last value counts."""
    values = [argument.partition("=")[2] for argument in arguments if argument.startswith(f"{key}=")]
    return [one for one in arguments if not one.startswith(f"{key}=")], values[-1] if values else None


def form_and_rest(arguments: Sequence[str], known: Sequence[str]) -> tuple[str, list[str]]:
    """The last `format=`, else the first that is known, and the rest of the arguments.

    Raises:
        UserError: a format that is not known.
    """
    rest, given = without_setting(arguments, "format")
    form = known[0] if given is None else given
    if form not in known:
        raise unknown_name("format", form, known)
    return form, rest
