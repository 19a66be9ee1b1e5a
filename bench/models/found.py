"""What `model.structure=discover` found, in words: for the record, and to be pasted into a model's YAML."""

from dataclasses import replace
from typing import Any

import yaml
from torch import nn

from bench.configuration.schema import ModelConfig, Weights
from bench.models.declared import DISCOVER, as_mapping
from bench.models.discover import discover
from bench.models.families import structure_of
from bench.models.head import usual_head
from bench.models.load import build_empty, load_architecture


def structure_origin(config: ModelConfig, model: nn.Module) -> dict[str, Any] | None:
    """Where the structure came from, as the record says it: `from` user or discovery, then with the `entry`.

    Args:
        config: which model.
        model: of transformers' classes, bare, on any device; its structure has been read.

    Returns:
        None where it is the built-in entry's.
    """
    if config.structure is None:
        return None
    if config.structure != DISCOVER:
        return {"from": "user"}
    return {"from": "discovery", "entry": as_mapping(discover(model, config.family))}


def look(config: ModelConfig) -> dict[str, Any] | None:
    """The same before anything is run: of the model's configuration alone, on the meta device.

    Raises:
        UserError: there is no such model, or its structure cannot be read.
    """
    if config.structure != DISCOVER:
        return None
    source = replace(config, weights=Weights.random) if config.architecture else config
    model = build_empty(source, load_architecture(source, usual_head(config.family)))
    structure_of(model, config.family, config.structure)
    return structure_origin(config, model)


def pasteable(entry: dict[str, Any]) -> str:
    """The lines of a model's YAML that say what was found."""
    text: str = yaml.safe_dump({"structure": entry}, sort_keys=False, default_flow_style=False, allow_unicode=True)
    return text.rstrip("\n")
