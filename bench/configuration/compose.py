"""From the command line's words to a cell: Hydra's composition, with its errors put into the user's words.

`configs/` is the primary search path; `--config-dir` adds a folder of the user's own, which is also put on Python's
path, so that a YAML there can name a class in a file beside it. Of several folders the first that has a file counts.
"""

import importlib
import json
import sys
import traceback
from collections.abc import Sequence
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any, TypeVar

from hydra import compose
from hydra._internal.callbacks import Callbacks
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.plugins import Plugins
from hydra.errors import HydraException
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, RunMode, TaskFunction
from hydra.version import setbase
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from bench.configuration.annotations import check_settings
from bench.configuration.cell import Cell
from bench.configuration.components import settle_components
from bench.configuration.files import USER
from bench.configuration.folder import CONFIGS
from bench.configuration.loader import Loader
from bench.configuration.mixture_title import ORIGIN as TITLE_ORIGIN
from bench.configuration.mixture_title import title_by_parts
from bench.configuration.origins import Origins
from bench.configuration.other_families import check_families
from bench.configuration.resolvers import register
from bench.configuration.schema import CellConfig
from bench.configuration.words import options
from bench.errors import UserError

T = TypeVar("T")

SCHEMA = OmegaConf.structured(CellConfig)
# Open to the command line without a plus sign: what a class has and its YAML leaves out. `build` refuses the rest.
for section in ("peft", "task", "method"):
    SCHEMA[section]._set_flag("struct", False)
for key in ("rate_multipliers", "weight_decays", "chosen_by"):
    SCHEMA.training[key]._set_flag("struct", False)
ConfigStore.instance().store(name="cell_schema", node=SCHEMA)
register()


class Configurations:
    """The project's configurations and, after them, those in `config_dirs`; None is no folder. A context manager."""

    def __init__(self, *config_dirs: str | None) -> None:
        self.folders, self._given_as = [CONFIGS], {str(CONFIGS): ""}
        for given in config_dirs:
            if given is not None:
                self.folders.append(use_config_dir(given))
                self._given_as[str(self.folders[-1])] = given.rstrip("/")

    def __enter__(self) -> "Configurations":
        self._outer = GlobalHydra.instance().hydra  # of a program of Hydra's that uses this one
        GlobalHydra.instance().clear()
        setbase("1.3")
        search_path = create_config_search_path(str(self.folders[0]))
        for folder in self.folders[1:]:
            # Part of the search path itself, not an override: the cells of a sweep are composed with it too.
            # Hydra wants its schemas last.
            search_path.prepend(USER, f"file://{folder}", "schema")
        self._loader = Loader(search_path, self._given_as, SCHEMA)
        self._hydra = Hydra("bench", self._loader)
        GlobalHydra.instance().initialize(self._hydra)
        return self

    def __exit__(self, *exception: Any) -> None:
        GlobalHydra.instance().clear()
        if self._outer is not None:
            GlobalHydra.instance().initialize(self._outer)

    def compose(self, overrides: Sequence[str]) -> DictConfig:
        """Compose one configuration.

        Raises:
            UserError: an unknown name, key or value; one line.
        """
        return compose("config", list(overrides))

    def cell(self, overrides: Sequence[str]) -> Cell:
        """Compose, resolve and check one cell."""
        cell = cell_of(self.compose(overrides), self._loader.origins)
        check_families([cell])
        return cell

    def sweep(self, overrides: Sequence[str], task: TaskFunction) -> list[str]:
        """Let Hydra's sweeper and launcher run the cells that `overrides` select.

        Args:
            overrides: as on the command line.
            task: what a launcher that takes no composed cells runs for each; returns the record's status.

        Returns:
            The status of each cell that was run.

        Raises:
            UserError: an unknown name, key or value; nothing was run.
        """
        overrides = ["hydra/sweeper=experiment", *overrides]
        try:
            returns = self._hydra.multirun("config", task, overrides, with_log_configuration=False)
            return [str(job.return_value) for job in returns]
        except (HydraException, OmegaConfBaseException) as error:
            raise self._loader.in_users_words(error) from error

    def sweeper(self, overrides: Sequence[str], task: TaskFunction) -> Sweeper:
        """The sweeper with the launcher that `overrides` choose, for cells that are selected otherwise.

        Args:
            overrides: of Hydra's own section.
            task: as of `sweep`.

        Raises:
            UserError: an unknown name, key or value.
        """
        overrides = ["hydra/sweeper=experiment", *overrides]
        try:
            config = self._loader.load_configuration("config", overrides, RunMode.MULTIRUN)
            context = HydraContext(self._loader, Callbacks(config))
            return Plugins.instance().instantiate_sweeper(config=config, hydra_context=context, task_function=task)
        except (HydraException, OmegaConfBaseException) as error:
            raise self._loader.in_users_words(error) from error

    def options(self, group: str) -> list[str]:
        """All choices of a configuration group, nested ones with their folder: `glue/cola`."""
        return options(self.folders, group)


def use_config_dir(config_dir: str) -> Path:
    """Put the user's folder of configurations on Python's path, and return it as an absolute path."""
    folder = Path(config_dir).resolve()
    if not folder.is_dir():
        raise UserError(f"--config-dir {config_dir}: no such folder")
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    return folder


def cell_of(config: DictConfig, origins: Origins | None = None) -> Cell:
    """Resolve a composed configuration, check its values and name its cell.

    Args:
        config: as Hydra composed it.
        origins: where its values came from, if that is known.

    Raises:
        UserError: a value is missing, cannot be resolved or is out of range.
    """
    try:
        plain = OmegaConf.to_container(without_hydra(config), resolve=True, throw_on_missing=True, enum_to_str=True)
    except OmegaConfBaseException as error:
        said = error.__cause__ if isinstance(error.__cause__, UserError) else str(error).splitlines()[0]
        raise UserError(f"{error.full_key}: {said}") from error
    assert isinstance(plain, dict)
    if plain["peft"] and plain["method"].get("settings") != plain["peft"]:
        raise UserError(
            f"peft.{next(iter(plain['peft']))} belongs to method=peft/any, not to '{plain['method']['name']}'"
        )
    search = _taken_out(plain["method"])
    put_in = settle_components(plain["method"], plain["model"]["family"])
    if title := title_by_parts(plain["method"]):
        plain["method"]["title"] = title
        put_in["method.title"] = TITLE_ORIGIN
    if origins is not None:
        for key, origin in put_in.items():
            origins = origins.given([key], origin)
    return Cell.from_config(_with_text_keys(plain), origins, search)


def _taken_out(method: dict[str, Any]) -> Any:
    """Take what a method declares for tuning out of its configuration and those of its parts, and return its own."""
    parts = method.get("parts")
    for part in parts.values() if isinstance(parts, dict) else ():
        if isinstance(part, dict):
            part.pop("search", None)
    return method.pop("search", None)


def _with_text_keys(value: Any) -> Any:
    """Keys as records and caches keep them, in JSON: a label 0 would come back from there as "0"."""
    if isinstance(value, dict):
        return {key if isinstance(key, str) else json.dumps(key): _with_text_keys(item) for key, item in value.items()}
    return [_with_text_keys(item) for item in value] if isinstance(value, list) else value


def without_hydra(config: DictConfig) -> DictConfig:
    """A composed configuration without Hydra's own section; itself where it has none."""
    if "hydra" not in config:
        return config
    return OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])


def build(config: dict[str, Any], kind: type[T]) -> T:
    """Make the object that a configuration with `_target_` describes, and check that it is a `kind`.

    Raises:
        UserError: no such class, a setting it does not have, one that is missing, or a value it refuses.
    """
    section = kind.__name__.lower()
    if not isinstance(config, dict):
        raise UserError(f"{section}={config} must be a mapping of settings, one of them `_target_`")
    settings = dict(config)
    name = settings.get("name", "?")
    target = class_at(settings.pop("_target_", None), name)
    if not issubclass(target, kind):
        raise UserError(f"'{name}': {target.__name__} is no {kind.__name__}")
    if is_dataclass(target):
        check_settings(target, settings, section, name)
    try:
        return target(**settings)
    except UserError:
        raise
    except Exception as error:  # in whichever way a class refuses a value, or fails at one
        raise UserError(f"'{name}': {_reason(error)}") from error


def class_at(path: str | None, name: str) -> type[Any]:
    """The class that `_target_` names.

    Args:
        path: `module.Class`.
        name: whose it is, for the message.

    Raises:
        UserError: none, or nothing of that name that can be had.
    """
    if path is None:
        raise UserError(f"the configuration of '{name}' names no class; give it a line `_target_: module.Class`")
    module, _, attribute = path.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except UserError:
        raise
    except Exception as error:  # a module of the user's own may fail in any way
        raise UserError(f"'{name}': cannot import {path}: {_reason(error)}") from error
    if not isinstance(found, type):
        raise UserError(f"'{name}': {path} is no class")
    return found


def _reason(error: Exception) -> str:
    """An error of a class or its module in a line, with the place in the user's own code."""
    said = " ".join(str(error).splitlines()[:1])
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}, line {error.lineno}: {error.msg}"
    if isinstance(error, ImportError | ValueError | TypeError | AttributeError):
        return said or type(error).__name__
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{last.filename}, line {last.lineno}: {type(error).__name__}: {said}"
