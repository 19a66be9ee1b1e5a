"""The cell: one model × task × method × seed with all its settings, its name and its hash.

This file imports neither torch nor transformers.
"""

import hashlib
import json
import marshal
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Any

from bench.configuration.choice import PROVENANCE, settle_choice
from bench.configuration.names import check_name, check_path
from bench.configuration.number_types import settle
from bench.configuration.origins import COMMAND_LINE, Origins
from bench.configuration.ranges import LOOSE, check_section
from bench.configuration.schema import SECTIONS, DataConfig, ModelConfig, TrainingConfig, check_processes
from bench.configuration.trackers import trackers_of
from bench.errors import unknown_name

# What decides a cell's result. The rest says where and how it is run, and does not belong to its identity.
IDENTITY = ("model", "task", "method", "training", "data", "seed")
# How a model, a task, a method or a part of one is called and sorted, and what its settings mean; another title makes
# no other cell.
LABELS = frozenset({"title", "paper", "category", "components"})


@dataclass(frozen=True)
class Cell:
    """One unit of work, as plain data: picklable, comparable, free of torch."""

    experiment: str
    model: str
    task: str
    method: str
    seed: int
    config: dict[str, Any]  # the composed configuration, resolved to plain containers
    origins: Origins | None = field(default=None, compare=False, repr=False)  # where its values came from, if known
    search: dict[str, Any] | None = field(default=None, compare=False, repr=False)  # where tuning looks, if declared

    @classmethod
    def from_config(
        cls, config: dict[str, Any], origins: Origins | None = None, search: dict[str, Any] | None = None
    ) -> "Cell":
        """Name the cell that a composed and resolved configuration describes.

        Args:
            config: all of it.
            origins: where its values came from, if known.
            search: what its method declares for tuning; no part of the cell.

        Raises:
            UserError: a setting that does not exist, a value out of its range, or two that exclude each other.
        """
        for section in SECTIONS:
            _check(section, config[section])
        config = settle_choice(settle(config))
        cell = cls(
            experiment=config["experiment"].get("name"),
            model=config["model"].get("name"),
            task=config["task"].get("name"),
            method=config["method"].get("name"),
            seed=config["seed"],
            config=config,
            origins=origins,
            search=search,
        )
        names = (cell.experiment, cell.model, cell.task, cell.method)
        (_check_names if all(isinstance(name, str) for name in names) else _check_names.__wrapped__)(*names)
        check_path("results_dir", config["results_dir"])
        check_section("", {key: config[key] for key in LOOSE})
        check_processes(config)
        trackers_of(config)
        return cell

    @property
    def inherited(self) -> str | None:
        """Which settings of training the method takes over for want of its own, in a line; None: none, or not known."""
        return None if self.origins is None or not self.is_trained else self.origins.note(self.config)

    @property
    def is_trained(self) -> bool:
        """Whether its method trains anything; the category of the one that does not is "none"."""
        return bool(self.config["method"].get("category") != "none")

    def set_by_grid(self, keys: Iterable[str]) -> "Cell":
        """The cell whose values of these keys came from its experiment's grid; keys of files that it chose are none."""
        if self.origins is None:
            return self
        values = [key for key in keys if self.origins.of(key) == COMMAND_LINE]
        return replace(self, origins=self.origins.given(values, self.origins.of("experiment.grid")))

    @property
    def base(self) -> ModelConfig:
        """The pretrained model's configuration."""
        return ModelConfig(**self.config["model"])

    @property
    def training(self) -> TrainingConfig:
        """How the cell is trained."""
        return TrainingConfig(**self.config["training"])

    @property
    def data(self) -> DataConfig:
        """Where its data come from."""
        return DataConfig(**self.config["data"])

    @property
    def settings(self) -> dict[str, Any]:
        """The part of the configuration that decides the result, and labels."""
        return {key: self.config[key] for key in IDENTITY}

    @cached_property
    def config_hash(self) -> str:
        """SHA-256 of the settings without labels in canonical JSON, 64 hexadecimal digits."""
        return hash_of(self.settings)

    @cached_property
    def id(self) -> str:
        """Readable and unique, fit for a folder's name: `roberta_base-glue_cola-lora-s0-1f2e3d4c`."""
        return name_of(self.model, self.task, self.method, self.seed, self.config_hash)


def name_of(model: str, task: str, method: str, seed: int, config_hash: str) -> str:
    """What a cell is called."""
    readable = "-".join(name.replace("/", "_") for name in (model, task, method))
    return f"{readable}-s{seed}-{config_hash[:8]}"


def hash_of(settings: dict[str, Any], *, labels: bool = False) -> str:
    """SHA-256 of settings in canonical JSON, 64 hexadecimal digits; with `labels`, as it was up to schema version 1."""
    training = settings.get("training")
    if isinstance(training, dict) and PROVENANCE in training:
        settings = settings | {"training": {key: value for key, value in training.items() if key != PROVENANCE}}
    text = ",".join([f"{_canonical(key, labels)}:{_canonical(settings[key], labels)}" for key in sorted(settings)])
    return hashlib.sha256(f"{{{text}}}".encode()).hexdigest()


@lru_cache(maxsize=4096)
def _check_names(experiment: str, model: str, task: str, method: str) -> None:
    for kind, name in (("experiment", experiment), ("model", model), ("task", task), ("method", method)):
        check_name(f"{kind}.name", name)
    check_name("model, task and method", "/".join((model, task, method)))  # one folder's name


def _check(section: str, values: dict[str, Any]) -> None:
    """Check a section against its schema. Thousands of cells share their sections: each is checked once."""
    try:
        _check_written(section, marshal.dumps(values, 2))
    except ValueError:  # something that the schema does not know either
        SECTIONS[section](**values)


@lru_cache(maxsize=4096)
def _check_written(section: str, values: bytes) -> None:
    schema, given = SECTIONS[section], marshal.loads(values)
    for key in given:  # a plus sign before it gets it past Hydra
        if key not in schema.__dataclass_fields__:
            raise unknown_name(f"setting of {section}", key, schema.__dataclass_fields__)
    schema(**given)


def _canonical(section: Any, labels: bool) -> str:
    """JSON with sorted keys. Thousands of cells share their sections: each is written once."""
    try:
        return _written(marshal.dumps(section, 2), labels)
    except ValueError:  # something that JSON cannot say either
        return _json(section, labels)


@lru_cache(maxsize=4096)
def _written(section: bytes, labels: bool) -> str:
    return _json(marshal.loads(section), labels)


def _json(section: Any, labels: bool) -> str:
    content = section if labels else _without_labels(section)
    return json.dumps(content, sort_keys=True, separators=(",", ":"), default=str)


def _without_labels(section: Any) -> Any:
    """Model, task, method, or any part of one that names a class, without its labels."""
    if isinstance(section, list):
        return [_without_labels(item) for item in section]
    if not isinstance(section, dict):
        return section
    is_component = "name" in section or "_target_" in section
    return {key: _without_labels(item) for key, item in section.items() if not (is_component and key in LABELS)}
