"""Where a tuner sits: its targets by their full paths, found before the library is asked.

The library takes a full path as it is, whatever `layers_to_transform` says, counts a classifier's layers among
"all-linear", and drops names that match nothing. So the targets are found here, by its own rule of names, and every
entry of a setting that names places must name one.
"""

import copy
import re
from collections.abc import Iterable, Iterator
from typing import Any

from peft.tuners.tuners_utils import _find_minimal_target_modules, check_target_module_exists
from torch import nn

from bench.errors import UserError
from bench.methods.base import Setting

ALL_LINEAR = "all-linear"
# Sites of types that have places of their own; see `bench.models.structure.SITES`.
SITES = {
    "BEFT": ["value"],  # biases of the values alone, as the library's table says
    "IA3": ["key", "value", "feed_forward_output"],  # Liu et al. 2022, section 3.3
}
# Their targets are no linear layers: norms, embeddings, attentions, whole blocks.
WITHOUT_SITES = ("ADAPTION_PROMPT", "LN_TUNING", "SHADOW", "TRAINABLE_TOKENS")
# Settings that take targets away.
NARROWING = ("layers_to_transform", "exclude_modules", "modules_to_save")
# Settings that map names of targets to numbers.
PATTERNS = ("rank_pattern", "alpha_pattern", "lambda_pattern", "block_size_pattern", "n_frequency_pattern")


def _is_embedding(module: nn.Module) -> bool:
    return isinstance(module, nn.Embedding)


def _is_norm(module: nn.Module) -> bool:
    """A layer that rescales what it normalises: LayerNorm, RMSNorm and the models' own."""
    weight = getattr(module, "weight", None)
    return "norm" in type(module).__name__.lower() and isinstance(weight, nn.Parameter) and weight.dim() == 1


# Types that act on whole modules, and on which ones.
TRAINED_WHOLE = {"LN_TUNING": ("norms", _is_norm), "TRAINABLE_TOKENS": ("tokens of embeddings", _is_embedding)}


def name_targets(kind: str, options: dict[str, Any], sites: list[str], setting: Setting) -> dict[str, Any]:
    """The options with targets named where the harness knows them better than the library does.

    Args:
        kind: the library's name of the type, which has a setting `target_modules`.
        options: the user's.
        sites: the linear layers of types without places of their own.
        setting: the cell's.
    """
    given = options.get("target_modules")
    if isinstance(given, str) and given.lower() == ALL_LINEAR:
        return options | {"target_modules": list(setting.structure.linears)}
    if given is not None or options.get("target_parameters") or kind in WITHOUT_SITES:
        return options
    return options | {"target_modules": setting.structure.paths(SITES.get(kind, sites))}


def fix_targets(kind: str, config: Any, model: nn.Module, setting: Setting) -> None:
    """Put the full paths of all targets into `config`, the task head left out.

    Args:
        kind: the library's name of the type.
        config: the library's configuration, changed in place.
        model: as yet without this method; another one may have wrapped it.
        setting: the cell's.

    Raises:
        UserError: an entry of a setting names nothing.
    """
    every_name = [name for name, _ in model.named_modules() if name]
    names = [name for name in every_name if not setting.structure.is_of_head(f"{name}.")]
    if kind == "LN_TUNING" and config.target_modules is None:
        config.target_modules = [name for name in names if _is_norm(model.get_submodule(name))]
    if kind != "ADAPTION_PROMPT" and getattr(config, "target_modules", None) is not None:
        _check_entries(config, names)
        targets = set(_targets(config, names))
        _check_patterns(config, targets)
        config.target_modules = targets if kind != "LILY" else _by_ends(config, targets, every_name)
        _check_kind(kind, config, model)
    if kind == "IA3" and config.feedforward_modules is None:
        outputs = setting.structure.paths(["feed_forward_output"])
        config.feedforward_modules = {name for name in config.target_modules if _names_one_of(name, outputs)}
    _check_other_places(config, names, [name for name, _ in model.named_parameters()])


def _check_kind(kind: str, config: Any, model: nn.Module) -> None:
    """The library would train any module whole under these names."""
    if kind not in TRAINED_WHOLE:
        return
    what, fits = TRAINED_WHOLE[kind]
    for name in sorted(config.target_modules):
        if not fits(module := model.get_submodule(name)):
            raise UserError(
                f"peft.type={kind} trains {what}, and {name} is a {type(module).__name__}; leave peft.target_modules "
                f"out and the right ones are found"
            )


def _targets(config: Any, names: Iterable[str]) -> list[str]:
    """Those of `names` that the library would adapt, and that lie in the layers that the user named."""
    found = [name for name in names if (hit := check_target_module_exists(config, name)) and not _is_excluded(hit)]
    if getattr(config, "layers_to_transform", None) is None:
        return found
    by_end = copy.copy(config)

    def lies_there(name: str) -> bool:
        by_end.target_modules = [name.rsplit(".", 1)[-1]]
        return bool(check_target_module_exists(by_end, name))

    return [name for name in found if lies_there(name)]


def _by_ends(config: Any, targets: set[str], every_name: list[str]) -> set[str]:
    """The shortest ends of names that choose the same targets: LILY shares matrices among those of one end."""
    regardless = copy.copy(config)
    regardless.layers_to_transform = None
    in_all_layers = set(_targets(regardless, every_name))
    ends: set[str] = _find_minimal_target_modules(in_all_layers, set(every_name) - in_all_layers)
    probe = copy.copy(config)
    probe.target_modules = ends
    return ends if set(_targets(probe, every_name)) == targets else targets


def _is_excluded(hit: object) -> bool:
    return type(hit).__name__ == "_ExcludedModule"


def _check_entries(config: Any, names: list[str]) -> None:
    """Every entry of the settings that choose targets changes which they are."""
    chosen = set(_targets(config, names))
    if not (given := config.target_modules):
        raise UserError("peft.target_modules=[] names nothing to adapt")
    if isinstance(given, str):
        if not chosen:
            raise UserError(
                f"peft.target_modules={given} matches no module outside the task head; a word is a regular expression "
                f"for the whole path, a list has ends of paths: peft.target_modules=[{given}]"
            )
    else:
        for entry in sorted(given):
            if not any(name == entry or name.endswith(f".{entry}") for name in names):
                raise UserError(f"peft.target_modules: {entry} names no module outside the task head")
    if not chosen:
        given = [f"peft.{key}={value}" for key in NARROWING if (value := getattr(config, key, None)) is not None]
        raise UserError(f"no module is left to adapt with {' and '.join(given)}")
    for entry in _entries(getattr(config, "layers_pattern", None)):
        if not any(re.match(rf"(?:^|.*?\.){entry}\.\d+\.", name) for name in chosen):
            raise UserError(f"peft.layers_pattern: {entry} names no list of layers in this model")
    for key in ("layers_to_transform", "exclude_modules"):
        value = getattr(config, key, None)
        for entry in _entries(value):
            rest = [other for other in value if other != entry] if isinstance(value, list | set) else None
            without = copy.copy(config)
            setattr(without, key, rest or None)
            is_only_layer = key == "layers_to_transform" and not rest and entry == 0
            if set(_targets(without, names)) == chosen and not is_only_layer:
                raise UserError(f"peft.{key}: {entry} changes nothing in this model")


def _check_patterns(config: Any, targets: set[str]) -> None:
    for key in PATTERNS:
        for entry in getattr(config, key, None) or {}:
            if not any(re.match(rf"(.*\.)?({entry})$", name) for name in targets):
                raise UserError(f"peft.{key}: {entry} names none of the adapted modules")


def _check_other_places(config: Any, names: list[str], parameters: list[str]) -> None:
    targets = getattr(config, "target_modules", None)
    for entry in _entries(getattr(config, "feedforward_modules", None)):
        if not _some(targets or (), entry):
            raise UserError(f"peft.feedforward_modules: {entry} names none of the adapted modules")
    for entry in _entries(getattr(config, "modules_to_save", None)):
        if not any(name.endswith(entry) for name in names):
            raise UserError(
                f"peft.modules_to_save: {entry} names no module outside the task head, which every method trains"
            )
    for entry in _entries(getattr(config, "target_parameters", None)):
        if not _some(parameters, entry):
            raise UserError(f"peft.target_parameters: {entry} names no parameter of this model")


def _entries(value: Any) -> Iterator[Any]:
    """What a setting names: nothing, one thing, or several."""
    if value is None:
        return
    yield from sorted(value, key=str) if isinstance(value, list | set | tuple) else [value]


def _some(names: Iterable[str], end: str) -> bool:
    return any(re.fullmatch(end, name) or name == end or name.endswith(f".{end}") for name in names)


def _names_one_of(name: str, paths: Iterable[str]) -> bool:
    """Whether `name` is one of the `paths`, in a model that may have been wrapped."""
    return any(name == path or name.endswith(f".{path}") for path in paths)
