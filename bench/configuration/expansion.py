"""From the overrides of thousands of cells to the cells: Hydra composes once per group, the rest is filled in.

Hydra takes some 60 ms for a cell. A sweep's cells differ mostly in seeds and other plain values, so those that have the
same model, task, method and so on are composed once, and the plain values put in afterwards. Where that could differ
from what Hydra does (a value that others refer to, a key that is not there, a resolver that we do not know), Hydra
composes the cell. What it composed is kept between runs, as long as no configuration changes.
"""

import copy
import hashlib
import importlib.metadata
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from bench.configuration.cell import Cell
from bench.configuration.choice import PROVENANCE
from bench.configuration.components import WITHOUT, touched_keys
from bench.configuration.compose import SCHEMA, cell_of, without_hydra
from bench.configuration.loader import origins_composed_last
from bench.configuration.origins import Origins
from bench.configuration.resolvers import READ_BY
from bench.errors import UserError
from bench.system.cache import cache_folder, write_once
from bench.system.plain_files import read_file
from bench.system.sealed import sealed, unsealed

Compose = Callable[[list[str]], DictConfig]

# Sections whose plain values may be put in afterwards, and keys of no section.
SECTIONS = ("training", "data", "method")
KEYS = ("seed", "results_dir", "device", "save_trained", "threads", "force")
WHOLE_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)")
REFERENCE = re.compile(r"\$\{\s*([^{}:]*?)\s*(\}|:)")
CLASS = re.compile(rb"_target_[\"']?\s*:\s*[\"']?([A-Za-z0-9_.]+)")
KEPT = 5000  # compositions; enough for every experiment, and a file that is read in a tenth of a second

OPEN = "method"  # takes any key, such as a budget, which its YAML need not have
COMPONENTS = "components"

_NOTHING = object()


@dataclass(frozen=True)
class Group:
    """What cells of the same choices have in common.

    Attributes:
        config: their resolved configuration.
        references: the keys that interpolations in it refer to; None: some that cannot be known.
        origins: where its values came from.
        search: what their method declares for tuning.
        touched: the keys that its components change.
    """

    config: dict[str, Any]
    references: frozenset[str] | None
    origins: Origins | None = None
    search: dict[str, Any] | None = None
    touched: frozenset[str] = frozenset()


class Expansion:
    """Makes cells from overrides, each equal to the one that Hydra composes from them."""

    def __init__(self, compose: Compose, folders: Sequence[Path]) -> None:
        """Create an expansion.

        Args:
            compose: from overrides to a configuration.
            folders: where `compose` finds its configurations.
        """
        self._compose = compose
        self._typing = copy.deepcopy(SCHEMA)
        self._values: dict[str, Any] = {}  # override → the value that it gives its key
        self._origins: dict[tuple[int, tuple[str, ...]], Origins] = {}  # of a group, with keys that cells give
        self._kept = Kept(folders)

    def cells(self, overrides: Iterable[Sequence[str]]) -> Iterator[Cell]:
        """The cells of several lists of overrides, in their order.

        Raises:
            UserError: a value is missing, cannot be resolved or is out of range.
            HydraException: as `compose` raises it; likewise OmegaConfBaseException.
        """
        groups: dict[tuple[str, ...], Group] = {}
        for given in overrides:
            choices = tuple(override for override in given if not _is_plain(override))
            if choices not in groups:
                groups[choices] = self._group(choices)
            cell = self._filled_in(groups[choices], [override for override in given if _is_plain(override)])
            yield cell if cell is not None else cell_of(self._compose(list(given)), origins_composed_last())
        self._kept.save()

    def _group(self, choices: tuple[str, ...]) -> Group:
        if (kept := self._kept.get(choices)) is not None:
            return kept
        try:
            composed = self._compose(list(choices))
            cell = cell_of(composed, origins_composed_last())
            touched = touched_keys(OmegaConf.to_container(composed.method))  # type: ignore[arg-type]
            # As the file has it: what is filled in decides whether a search's choice still holds.
            chosen = {PROVENANCE: OmegaConf.to_container(composed.training[PROVENANCE])}
            config = cell.config | {"training": cell.config["training"] | chosen}
            group = Group(config, _references(composed), cell.origins, cell.search, touched)
        except (UserError, HydraException, OmegaConfBaseException):
            return Group({}, None)  # perhaps a plain value mends it; if not, the cell says what is wrong
        self._kept.put(choices, group)
        return group

    def _filled_in(self, group: Group, overrides: list[str]) -> Cell | None:
        """The cell of a group with plain values put in; None where Hydra has to do it."""
        if group.references is None:
            return None
        config = dict(group.config)
        for override in overrides:
            key = override.partition("=")[0]
            if any(_overlap(key, reference) for reference in group.references | group.touched):
                return None
            section, _, name = key.rpartition(".")
            part = config
            if section:
                part = config[section] = dict(config[section])
            if isinstance(part.get(name, _NOTHING), dict | list) or (name not in part and section != OPEN):
                return None
            value = self._value(override)
            if value is _NOTHING:
                return None
            components = part.pop(COMPONENTS, _NOTHING) if name not in part else _NOTHING
            part[name] = value
            if components is not _NOTHING:
                part[COMPONENTS] = components  # said of the whole method, hence after all of its settings
        return Cell.from_config(config, self._origins_of(group, overrides), group.search)

    def _origins_of(self, group: Group, overrides: list[str]) -> Origins | None:
        """Where the values of a group's cell came from; the same object for cells that give the same keys."""
        if group.origins is None or not overrides:
            return group.origins
        keys = tuple(override.partition("=")[0] for override in overrides)
        place = id(group.origins), keys  # the group lives as long as the cells are made
        if place not in self._origins:
            self._origins[place] = group.origins.given(keys)
        return self._origins[place]

    def _value(self, override: str) -> Any:
        """The value that an override gives its key, as the schema converts it; `_NOTHING` where it is refused."""
        if override not in self._values:
            key, _, word = override.partition("=")
            try:
                value: Any = int(word) if WHOLE_NUMBER.fullmatch(word) else _parsed(override)
                if value is not _NOTHING and not key.startswith("method."):  # of whose settings the schema says nothing
                    OmegaConf.update(self._typing, key, value, merge=True)
                    value = OmegaConf.select(self._typing, key)
            except (HydraException, OmegaConfBaseException):
                value = _NOTHING
            if isinstance(value, Enum):
                value = value.name
            self._values[override] = value if value is None or isinstance(value, str | int | float) else _NOTHING
        return self._values[override]


class Kept:
    """Compositions of earlier runs, in one file that holds for one state of the configurations."""

    def __init__(self, folders: Sequence[Path]) -> None:
        """Read what was kept for the configurations in `folders` as they are now."""
        fingerprint, self._classes = _read_all(folders)
        self._file = cache_folder() / "compositions" / f"{fingerprint}.json"
        self._new = False
        self._groups: dict[str, Any] = {}
        with suppress(OSError, ValueError, RecursionError):
            found = json.loads(unsealed(read_file(self._file)) or b"{}")
            self._groups = found if isinstance(found, dict) else {}

    def get(self, choices: tuple[str, ...]) -> Group | None:
        """What was kept for these overrides, if it is a cell's and names no class that the configurations do not."""
        try:
            kept = self._groups["\n".join(choices)]
            origins = Origins(**kept["origins"])
            references, touched = (frozenset(map(str, kept[name])) for name in ("references", "touched"))
            group = Group(kept["config"], references, origins, kept["search"], touched)
            Cell.from_config(group.config)
        except (UserError, KeyError, TypeError, AttributeError, ValueError):
            return None
        return group if self._classes.issuperset(_classes(group.config)) else None

    def put(self, choices: tuple[str, ...], group: Group) -> None:
        """Keep a group, unless something outside of the configurations may have a say in it."""
        if group.references is not None and group.origins is not None and len(self._groups) < KEPT:
            self._groups["\n".join(choices)] = {
                "config": group.config,
                "references": sorted(group.references),
                "origins": vars(group.origins),
                "search": group.search,
                "touched": sorted(group.touched),
            }
            self._new = True

    def save(self) -> None:
        """Write what is new."""
        if self._new:
            self._new = False
            # What cannot be kept is composed again.
            with suppress(OSError):
                write_once(self._file, self._write)

    def _write(self, path: Path) -> None:
        path.write_bytes(sealed(json.dumps(self._groups).encode()) or b"")


def _is_plain(override: str) -> bool:
    """Whether an override gives one value to a key that never decides which files are composed."""
    key, separator, _ = override.partition("=")
    section, _, name = key.partition(".")
    if not separator or "." in name or key == f"method.{WITHOUT}":
        return False
    return key in KEYS if not name else section in SECTIONS and name.isidentifier()


def _parsed(override: str) -> Any:
    parsed = OverridesParser.create().parse_override(override)
    value = parsed.value()
    if parsed.is_sweep_override() or not isinstance(value, str | int | float | None):
        return _NOTHING
    return _NOTHING if isinstance(value, str) and "${" in value else value


def _references(composed: DictConfig) -> frozenset[str] | None:
    """The keys that a configuration's interpolations refer to; None where that cannot be read off them."""
    found: set[str] = set()
    for text in _strings(OmegaConf.to_container(without_hydra(composed))):
        if "${" not in text:
            continue
        names = REFERENCE.findall(text)
        if len(names) != text.count("${"):
            return None  # one within the other
        for name, end in names:
            is_resolver = end == ":"
            if name.startswith(".") or (is_resolver and name not in READ_BY):
                return None
            found.add(READ_BY[name] if is_resolver else name)
    return frozenset(found)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)


def _overlap(key: str, reference: str) -> bool:
    """Whether a reference sees a change of a key: it is the same, above it or below it."""
    return f"{key}.".startswith(f"{reference}.") or f"{reference}.".startswith(f"{key}.")


def _classes(value: Any) -> Iterator[str]:
    """The classes that a configuration names, at any depth."""
    if isinstance(value, dict):
        if "_target_" in value:
            yield str(value["_target_"])
        for item in value.values():
            yield from _classes(item)
    elif isinstance(value, list):
        for item in value:
            yield from _classes(item)


def _read_all(folders: Sequence[Path]) -> tuple[str, frozenset[str]]:
    """A fingerprint of all that decides what is composed (YAML, schema, libraries), and the classes that YAML names."""
    digest, classes = hashlib.sha256(), set[str]()
    for library in ("hydra-core", "omegaconf"):
        digest.update(importlib.metadata.version(library).encode())
    files = sorted(Path(__file__).parent.glob("*.py"))
    for folder in folders:
        files += sorted(folder.rglob("*.yaml"))
    for file in files:
        content = file.read_bytes()
        digest.update(f"{file} {len(content)} ".encode() + content)
        classes.update(name.decode() for name in CLASS.findall(content))
    return digest.hexdigest()[:32], frozenset(classes)
