"""Hydra's loader of configurations, which remembers where each value came from and refuses in the user's words.

All that is composed comes through here: one cell, a group of a sweep, and what a launcher composes again.
"""

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import IConfigRepository
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.default_element import ResultDefault
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException, OverrideParseException
from hydra.plugins.config_source import ConfigResult
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from bench.configuration.files import FilesReadOnce
from bench.configuration.origins import Origins
from bench.configuration.schema import SECTIONS, CellConfig
from bench.configuration.tracing import Contribution, contribution_of, origins_of
from bench.configuration.words import in_users_words, options
from bench.errors import UserError, unknown_name

GROUPS = ("model", "task", "method", "training", "experiment", "method_on", "chosen")
OPTIONAL = ("training", "method_on", "chosen")  # which Hydra leaves out in silence where there is no such file
TRUTHS = {
    f"{section}.{key.name}".lstrip(".")
    for section, schema in {"": CellConfig, **SECTIONS}.items()
    for key in fields(schema)
    if key.type is bool
}
# What Hydra and OmegaConf raise for what they cannot compose, beside their own errors.
REFUSALS = (
    HydraException, OmegaConfBaseException, ValueError, TypeError, LookupError, AttributeError, AssertionError,
    OverflowError, RecursionError,
)  # fmt: skip


class Loader(ConfigLoaderImpl):
    """Composes as Hydra does.

    Attributes:
        origins: where the values of what was composed last came from.
    """

    origins: Origins

    def __init__(self, search_path: ConfigSearchPath, given_as: dict[str, str], schema: DictConfig) -> None:
        """Create it.

        Args:
            search_path: the folders of configurations.
            given_as: by a folder's absolute path, how the user calls it.
            schema: of a cell.
        """
        super().__init__(search_path)
        self.repository = self._files = FilesReadOnce(search_path)
        self._given_as, self._schema = given_as, schema
        self._contributions: list[Contribution] = []
        self._known: dict[tuple[str, str | None, str], Contribution] = {}

    def load_configuration(
        self,
        config_name: str | None,
        overrides: list[str],
        run_mode: RunMode,
        from_shell: bool = True,
        validate_sweep_overrides: bool = True,
    ) -> DictConfig:
        """Compose one configuration.

        Raises:
            UserError: what cannot be composed, in one line.
        """
        self._contributions = []
        self._files.absent.clear()
        try:
            parsed = parse(overrides)
            self._check_choices(parsed)
            self._check_truths(parsed)
            composed = super().load_configuration(
                config_name, _for_training(overrides, parsed), run_mode, from_shell, validate_sweep_overrides
            )
        except REFUSALS as error:
            raise self.in_users_words(error, overrides) from error
        choices = composed.hydra.runtime.choices
        self.origins = origins_of(self._contributions, parsed, self._files, choices.get("method"))
        self._check_names({group: choices[group] for group in GROUPS if choices.get(group)}, parsed)
        return composed

    def in_users_words(self, error: Exception, overrides: Sequence[str] = ()) -> UserError:
        """Say in one line what could not be composed of `overrides`."""
        words = in_users_words(error, self.folders, self._schema)
        if not str(words).endswith("known: "):
            return words
        # A key below what only the chosen files have.
        choices = [text for text in overrides if "." not in text.partition("=")[0]]
        return in_users_words(
            error, self.folders, self._schema, super().load_configuration("config", choices, RunMode.RUN)
        )

    @property
    def folders(self) -> list[Path]:
        """Where configurations are looked for, in this order."""
        return [Path(source.path) for source in self._files.get_sources() if source.scheme() == "file"]

    def _load_single_config(self, default: ResultDefault, repo: IConfigRepository) -> ConfigResult:
        loaded: ConfigResult = super()._load_single_config(default, repo)
        key = str(default.config_path), default.package, str(loaded.path)
        if key not in self._known:
            folder = str(loaded.path).removeprefix("file://")
            self._known[key] = contribution_of(loaded, str(default.config_path), folder, self._given_as)
        self._contributions.append(self._known[key])
        return loaded

    def _check_choices(self, overrides: Sequence[Override]) -> None:
        """Refuse a choice of a group that is no name, and one that is not there, also where none need be."""
        for override in overrides:
            group = override.key_or_group
            if group not in GROUPS or override.is_delete() or override.is_sweep_override():
                continue
            name = override.value()
            if isinstance(name, dict) and group == "training":
                continue  # several settings of the section at once
            if not isinstance(name, str):
                raise UserError(
                    f"{override.input_line}: {group} is chosen by the name of a file in {group}/, "
                    f"its settings are given as {group}.KEY=VALUE"
                )
            # Not the name of a file or a path to it: records and other choices go by this name.
            is_name = not name.endswith(".yaml") and not {"", ".", ".."} & set(name.split("/"))
            if not is_name or (group in OPTIONAL and not self._files.config_exists(f"{group}/{name}")):
                raise unknown_name(group, name, options(self.folders, group))

    def _check_truths(self, overrides: Sequence[Override]) -> None:
        """Refuse numbers where the schema wants true or false, other than 0 and 1."""
        for override in overrides:
            if override.is_delete() or override.is_sweep_override():
                continue
            value = override.value()
            if isinstance(value, int | float) and value not in (0, 1) and override.key_or_group in TRUTHS:
                raise UserError(f"{override.input_line} must be true or false")

    def _check_names(self, choices: dict[str, str], overrides: Sequence[Override]) -> None:
        """Refuse a file that calls itself by the name of another: its results would be taken for the other's."""
        given = {override.key_or_group for override in overrides}
        for contribution in self._contributions:
            group, _, file = contribution.path.partition("/")
            name = contribution.name
            if choices.get(group) != file or name in (None, file) or f"{group}.name" in given:
                continue
            if group == "experiment" or self._files.config_exists(f"{group}/{name}"):
                raise UserError(
                    f"{contribution.label} says name: {name}, where records and tables would not find it; "
                    f"say name: {file}, or call the file {name}.yaml"
                )


def parse(overrides: Sequence[str]) -> list[Override]:
    """Read overrides as Hydra does.

    Raises:
        UserError: one that cannot be read; the message shows it.
    """
    try:
        parsed: list[Override] = OverridesParser.create().parse_overrides(list(overrides))
        return parsed
    except OverrideParseException as error:
        reason = str(error).splitlines()[0].removesuffix(".")
        raise UserError(f"cannot read '{error.override}': {reason}; text with signs in it is quoted") from error


def origins_composed_last() -> Origins | None:
    """Where the values of what was composed last came from; None where another loader composed it."""
    loader = GlobalHydra.instance().config_loader()
    return loader.origins if isinstance(loader, Loader) else None


def _for_training(overrides: list[str], parsed: Sequence[Override]) -> list[str]:
    """Without what a search chose, where another training is asked for by name: it was chosen for the task's own."""
    groups = {override.key_or_group for override in parsed if isinstance(override.value(), str)}
    return [*overrides, "chosen=_none"] if "training" in groups and "chosen" not in groups else overrides
