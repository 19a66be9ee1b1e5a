"""The setting `tracker`: which trackers are told about a cell. It decides neither the cell's result nor its name."""

import importlib.util
import re
from collections.abc import Iterable, Mapping
from typing import Any

from bench.configuration.names import check_path
from bench.errors import UserError, unknown_name

# accelerate's name of each → the module that has to be there.
KNOWN = {
    name: name
    for name in (
        "tensorboard", "mlflow", "wandb", "aim", "clearml", "comet_ml", "dvclive", "swanlab", "trackio",
    )
}  # fmt: skip
EXTRAS = ("tensorboard", "mlflow", "wandb")  # that the package has an extra for
CLASS = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")  # of the user's own: a subclass of accelerate's GeneralTracker


def trackers_of(config: Mapping[str, Any]) -> list[str]:
    """The trackers of a cell with this configuration, each once; older records know of none.

    Raises:
        UserError: a name that is none and no `module.Class` either, or no folder.
    """
    check_path("tracker_dir", config.get("tracker_dir", "trackers"))
    value = config.get("tracker")
    names = [] if value is None else [value] if isinstance(value, str) else value
    if not isinstance(names, list):
        raise UserError(f"tracker={value} must be a name or a list of names, tracker=[tensorboard,mlflow]")
    for name in names:
        if not isinstance(name, str) or (name not in KNOWN and not CLASS.fullmatch(name)):
            raise unknown_name("tracker", str(name), KNOWN)
    return list(dict.fromkeys(names))


def check_installed(configs: Iterable[Mapping[str, Any]]) -> None:
    """Refuse configurations with a tracker that is not installed; imports none.

    Raises:
        UserError: one line, with what installs it.
    """
    for name in dict.fromkeys(name for config in configs for name in trackers_of(config)):
        if name in KNOWN and not _is_there(KNOWN[name]):
            what = f"'peft-rematch[{name}]'" if name in EXTRAS else name
            raise UserError(f"tracker={name} is not installed; pip install {what}")


def _is_there(module: str) -> bool:
    """Whether a module can be imported; a folder of that name, as trackers leave them, is none."""
    spec = importlib.util.find_spec(module)
    return spec is not None and spec.origin is not None
