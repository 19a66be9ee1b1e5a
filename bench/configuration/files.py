"""Configuration files, each looked for and read once in a command, however many cells are composed from them.

Hydra looks through all folders and reads anew for every configuration that it composes, which is most of the time that
composing takes. What it makes of the files is left to it: it gets copies of what it read itself.
"""

import copy
import pickle
from pathlib import Path
from typing import Any

from hydra._internal.config_repository import ConfigRepository
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.object_type import ObjectType
from hydra.plugins.config_source import ConfigResult, ConfigSource
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import MarkedYAMLError, YAMLError

from bench.errors import UserError

BUILT_IN = ("schema", "hydra")
ABLATION = "experiment/ablation/"
CHOSEN = "chosen/"  # what searches chose
USER = "user"  # who provides the folders of --config-dir, the first of them first


class FilesReadOnce(ConfigRepository):
    """Hydra's repository of configurations, with a memory; holds for one state of the files."""

    def initialize_sources(self, config_search_path: ConfigSearchPath) -> None:
        """Look in these folders, and forget what was found in others."""
        super().initialize_sources(config_search_path)
        self.absent: list[str] = []  # what was looked for since somebody emptied the list, and is not there
        self._read: dict[str, bytes] = {}
        self._exists: dict[tuple[str, str], bool] = {}

    def load_config(self, config_path: str) -> ConfigResult | None:
        """A copy of a configuration, None where there is none: composing changes what it is given."""
        if config_path not in self._read:
            self._read[config_path] = pickle.dumps(self._load(config_path))
        read: ConfigResult | None = pickle.loads(self._read[config_path])  # a quarter of the time of copy.deepcopy
        if read is None:
            self.absent.append(config_path)
        return read

    def config_exists(self, config_path: str) -> bool:
        """Whether there is such a configuration."""
        key = "config", config_path
        if key not in self._exists:
            self._exists[key] = super().config_exists(config_path) or self._ablated(config_path) is not None
        return self._exists[key]

    def group_exists(self, config_path: str) -> bool:
        """Whether there is such a group."""
        key = "group", config_path
        if key not in self._exists:
            self._exists[key] = super().group_exists(config_path)
        return self._exists[key]

    def below(self, folder: str) -> list[str]:
        """The configurations in a folder and the folders within it, without ".yaml"."""
        roots = [Path(source.path) for source in self.get_sources() if source.scheme() == "file"]
        found = {file.relative_to(root) for root in roots for file in (root / folder).rglob("*.yaml")}
        return sorted(path.with_suffix("").as_posix() for path in found)

    def _find_object_source(self, config_path: str, object_type: ObjectType | None) -> ConfigSource | None:
        """The package's files go before the user's, but what a search of the user's chose goes before what it ships."""
        if object_type == ObjectType.CONFIG and config_path.startswith(CHOSEN):
            theirs_first = sorted(self.get_sources(), key=lambda source: source.provider != USER)
            return next((source for source in theirs_first if source.is_config(config_path)), None)
        found: ConfigSource | None = super()._find_object_source(config_path, object_type)
        return found

    def _load(self, config_path: str) -> ConfigResult | None:
        try:
            loaded: ConfigResult | None = super().load_config(config_path)
        except (YAMLError, OmegaConfBaseException, UnicodeDecodeError, OSError, ValueError, RecursionError) as error:
            source = self._find_object_source(config_path, ObjectType.CONFIG)
            file = "" if source is None else f"{source.path}/{config_path.removesuffix('.yaml')}.yaml"
            raise UserError(f"{file}{_line(error)}: {_reason(error)}") from error
        if loaded is None and (method := self._ablated(config_path)) is not None:
            loaded = super().load_config(f"{ABLATION}_any")
            assert loaded is not None
            assert isinstance(loaded.config, DictConfig)
            said = {"name": f"{ABLATION.partition('/')[2]}{method}", "title": f"Ablation of {method}"}
            grid = [{**part, "method": method} for part in loaded.config.grid]
            loaded.config = OmegaConf.merge(loaded.config, said, {"grid": grid})
        if loaded is not None and loaded.provider not in BUILT_IN and not isinstance(loaded.config, DictConfig):
            raise UserError(f"{config_path}.yaml must consist of lines KEY: VALUE")
        return loaded

    def _ablated(self, config_path: str) -> str | None:
        """The method that `experiment=ablation/METHOD` takes apart, where that experiment has no file of its own."""
        path = config_path.removesuffix(".yaml")
        method = path.removeprefix(ABLATION)
        is_method = (
            path.startswith(ABLATION) and not method.startswith("_") and super().config_exists(f"method/{method}")
        )
        return method if is_method else None

    def __deepcopy__(self, memo: dict[int, Any]) -> "FilesReadOnce":
        """Hydra copies its repository for every composition; the copy shares the memory until it looks elsewhere."""
        return copy.copy(self)


def _line(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    if mark is not None:
        return f", line {mark.line + 1}"
    line = getattr(error, "line", None)
    return f", line {line}" if isinstance(line, int) else ""


def _reason(error: Exception) -> str:
    """What is wrong with a file, in a line."""
    if isinstance(error, UnicodeDecodeError):
        return f"no text in UTF-8: byte {error.start} is {error.object[error.start]:#04x}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, MarkedYAMLError) and error.problem:
        return f"no YAML: {' '.join(part for part in (error.context, error.problem) if part)}"
    return " ".join(str(error).splitlines()[:1]) or type(error).__name__
