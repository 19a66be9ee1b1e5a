"""Where a model's weights, tokenizer and configuration are taken from, and their fingerprints as a record has them."""

from pathlib import Path
from typing import Any

from bench.configuration.cell import Cell
from bench.configuration.schema import ModelConfig, Weights
from bench.identity.fingerprints import of_model
from bench.running.model_check.report import Section


def look_at_origin(cell: Cell, source: ModelConfig, folder: Path | None) -> Section:
    """Name the places, and take the fingerprints of what lies there.

    Args:
        cell: whose model it is.
        source: the model, as its configuration was read; its weights are random where `model.architecture` serves.
        folder: the model's on this machine; None where there is none.
    """
    base, prints = cell.base, of_model(cell.config)
    spelt_out = source.weights == Weights.random and bool(source.architecture)
    facts: dict[str, Any] = {"from": _place(base, folder)}
    if base.path is None and base.shipped is None and base.hub is not None:
        facts["revision"] = f"{base.revision or 'main'}{'' if folder is None else f', commit {folder.name}'}"
    facts["configuration"] = "model.architecture, as it is spelt out in YAML" if spelt_out else "its config.json"
    for kind in ("configuration", "tokenizer"):
        facts[f"fingerprint of the {kind}"] = prints[kind] or "none: not on this machine"
    facts["weights"] = "drawn at random" if base.weights == Weights.random else "its checkpoint"
    weights = prints["weights"] or {}
    facts["fingerprint of the weights"] = weights.get("digest") or "none: not on this machine, or not to be read"
    facts |= {name: weights[name] for name in ("files", "bytes") if name in weights}
    return Section(facts)


def _place(base: ModelConfig, folder: Path | None) -> str:
    if base.path is not None:
        return f"model.path, {folder or base.path}"
    if base.shipped is not None:
        return f"the package's own, {folder}"
    if base.hub is not None:
        return f"the hub's {base.hub}, {'not on this machine' if folder is None else folder}"
    return "nowhere: it has no files"
