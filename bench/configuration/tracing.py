"""What each file and each word of the command line brings into a composed configuration; see `origins`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hydra.core.override_parser.types import Override
from hydra.plugins.config_source import ConfigResult
from omegaconf import DictConfig, OmegaConf

from bench.configuration.files import BUILT_IN, FilesReadOnce
from bench.configuration.origins import COMMAND_LINE, Origins, leaves

FULL = "full"  # the method whose settings are those of a task's file itself
RATE = "learning_rate"


@dataclass(frozen=True)
class Contribution:
    """What one file brings into a configuration.

    Attributes:
        path: of the file in its folder, without ".yaml": `training/glue/_glue`.
        label: as the user would write it.
        keys: what it sets, from the root: `training.learning_rate`; of a plain reference, what it refers to.
        name: what it calls itself, if it does.
    """

    path: str
    label: str
    keys: Mapping[str, str | None]
    name: str | None


def contribution_of(loaded: ConfigResult, path: str, folder: str, given_as: Mapping[str, str]) -> Contribution:
    """What a file that Hydra has loaded brings in.

    Args:
        loaded: the file, its content where it goes.
        path: in its folder, without ".yaml".
        folder: absolute, or Hydra's name for what is no folder.
        given_as: by a folder's absolute path, how the user calls it; the project's own is called nothing.
    """
    path = path.removesuffix(".yaml")
    called = given_as.get(folder, folder)
    content = OmegaConf.to_container(loaded.config, resolve=False)
    known: dict[str, str | None] = {}
    for key, value in leaves(content if isinstance(content, dict) else {}):
        if value == {}:
            continue  # sets nothing
        is_reference = isinstance(value, str) and value.startswith("${") and value.count("{") == 1
        known[key] = value[2:-1] if is_reference and value.endswith("}") and ":" not in value else None
    if loaded.provider in BUILT_IN:
        known = {}
    name = content.get(path.partition("/")[0]) if isinstance(content, dict) else None
    own_name = name.get("name") if isinstance(name, dict) else None
    return Contribution(path, f"{called}/{path}.yaml" if called else f"{path}.yaml", known, own_name)


def origins_of(
    contributions: Sequence[Contribution], overrides: Sequence[Override], files: FilesReadOnce, method: str | None
) -> Origins:
    """Where the values came from, of a composition.

    Args:
        contributions: of its files, in the order in which they were merged.
        overrides: of the command line.
        files: where they were looked for.
        method: the choice of the method; None: there is none.
    """
    keys: dict[str, str] = {}
    references: dict[str, str] = {}
    for contribution in contributions:
        for key, reference in contribution.keys.items():
            keys[key] = contribution.label
            if reference is not None:
                references[key] = reference
    for override in overrides:
        key = override.key_or_group
        is_choice = files.group_exists(key) and not override.is_delete() and not isinstance(override.value(), dict)
        if is_choice or override.is_sweep_override():
            continue
        if override.is_delete():
            keys = {known: origin for known, origin in keys.items() if not f"{known}.".startswith(f"{key}.")}
            continue
        value = override.value()
        keys |= dict.fromkeys([name for name, _ in leaves({key: value})], COMMAND_LINE)
    for key, reference in references.items():
        keys |= {
            key + known.removeprefix(reference): origin
            for known, origin in list(keys.items())
            if known.startswith(f"{reference}.")
        }
    keys = {key: origin for key, origin in keys.items() if not key.startswith("hydra.")}
    return Origins(keys, *_inherited(contributions, keys, files, method))


def _inherited(
    contributions: Sequence[Contribution], keys: Mapping[str, str], files: FilesReadOnce, method: str | None
) -> tuple[list[str], str | None]:
    """The settings that a method takes over, and the file that its own would stand in."""
    training = [contribution for contribution in contributions if contribution.path.startswith("training/")]
    if not training:
        return ([] if f"training.{RATE}" in keys else [RATE, "epochs"]), None
    if method in (None, FULL) or any(contribution.path.endswith(f"/{method}") for contribution in training):
        return [], None
    wanted = [path for path in files.absent if path.startswith("training/") and path.endswith(f"/{method}")]
    if not wanted:
        return [], None  # the task's file is for all methods alike
    labels = {contribution.label for contribution in training}
    file = min(wanted, key=lambda path: path.count("/"))  # without the model's name
    own = {RATE} | {key for other in files.below(file.removesuffix(f"/{method}")) for key in _keys_in(files, other)}
    inherited = sorted(
        (key for key in own if keys.get(f"training.{key}") in labels), key=lambda key: (key != RATE, key)
    )
    return inherited, f"{file}.yaml"


def _keys_in(files: FilesReadOnce, path: str) -> list[str]:
    loaded = files.load_config(path)
    return [str(key) for key in loaded.config] if loaded is not None and isinstance(loaded.config, DictConfig) else []
