"""What is inside a model: its sizes, and the places that methods ask for."""

from collections import Counter
from typing import Any

from torch import nn

from bench.configuration.schema import Family, ModelConfig, Weights
from bench.errors import UnsupportedError, UserError
from bench.metering.parameters import count_all
from bench.models.auto_classes import family_of
from bench.models.declared import DISCOVER
from bench.models.entries import ENTRIES
from bench.models.load import build_empty, published_architecture
from bench.models.structure import Structure
from bench.running.model_check.report import Section

SAME = 0.01  # of the parameters; a few tokens more do not make another model


def look_at_sizes(base: ModelConfig, source: ModelConfig, empty: Any) -> Section:
    """Family, type, class and sizes; and whether they are the preset's.

    Args:
        base: the model.
        source: the model, as its configuration was read; its weights are random where `model.architecture` serves.
        empty: the model on the meta device.
    """
    text, rows = empty.config.get_text_config(), embedding_rows(empty)
    counted = bare_count(empty, base.family)
    section = Section(
        {
            "family": base.family.value, "type": empty.config.model_type, "class": type(empty).__name__,
            "hidden size": text.hidden_size, "rows of the embedding": rows, "parameters": counted,
        }
    )  # fmt: skip
    if more := count_all(empty) - counted:
        section.facts["parameters of a task head for two labels"] = more
    if (usual := _usual_family(empty)) not in (base.family, None):
        section.doubts.append(f"models of the type '{empty.config.model_type}' are of the family {usual}")
    if not base.architecture:
        return section
    if source.weights == Weights.random:
        section.skipped.append("whether the files have these sizes: model.architecture says them, and no file is read")
        return section
    preset = build_empty(base, published_architecture(base, {"problem_type": None}))
    published = bare_count(preset, base.family)
    said = f"{counted:,} parameters, and model.architecture of '{base.name}' has {published:,}"
    if counted == published:
        section.right.append(f"as many parameters as model.architecture of '{base.name}' has")
    elif abs(counted - published) <= SAME * published:
        section.doubts.append(f"{said}; are there tokens added, or taken away?")
    else:
        section.wrong.append(f"{said}: config.json is of another model; model={base.family.value} takes any")
    return section


def look_at_structure(base: ModelConfig, empty: Any, structure: Structure) -> Section:
    """Who says where the parts are, and how many sites there are of each kind.

    Args:
        base: the model.
        empty: it on the meta device.
        structure: of it.
    """
    section = Section({"read by": _reader(base, empty, structure)})
    if structure.missing is not None:
        section.doubts.append(structure.missing)
        return section
    attentions = list(structure.attentions)
    for stack in dict.fromkeys(one.stack for one in attentions):
        section.facts[f"layers of the {stack}"] = sum(
            any(one.stack == stack for one in block.attentions) for block in structure.blocks
        )
    section.facts["attentions"] = len(attentions)
    if crossed := sum(one.is_cross for one in attentions):
        section.facts["of these, on the encoder's states"] = crossed
    sites = Counter(site for block in structure.blocks for site, _ in block.named_linears())
    section.facts["sites"] = dict(sites)
    if whole := next((one.why_whole for one in attentions if one.why_whole), None):
        section.doubts.append(f"the fused projections stay whole: {whole}")
    try:
        feed_forwards = list(structure.feed_forwards)
    except UnsupportedError as error:
        section.doubts.append(str(error))
        feed_forwards = []
    places = Counter(str(one.place) for one in feed_forwards)
    section.facts["norms of the feed-forwards"] = dict(places)
    section.facts["norms of a layer"] = list(dict.fromkeys(norm for one in feed_forwards for norm in one.norms))
    section.facts["positions"] = structure.max_positions
    section.right.append("every place that it names is there")
    return section


def bare_count(model: Any, family: Family) -> int:
    """Parameters as papers and hub pages count them: of an encoder without any head; tied ones once."""
    counted: nn.Module = model.base_model if family == Family.encoder else model
    return count_all(counted)


def embedding_rows(model: Any) -> int:
    """How many tokens the model's embedding has."""
    rows: int = model.get_input_embeddings().weight.shape[0]
    return rows


def _usual_family(empty: Any) -> Family | None:
    try:
        return family_of(empty.config)
    except UserError:
        return None


def _reader(base: ModelConfig, empty: Any, structure: Structure) -> str:
    if base.structure == DISCOVER:
        return "model.structure=discover, which looks"
    if base.structure is not None:
        return "model.structure, the user's own"
    if structure.entry is None:
        return "none of bench/models/entries.py"
    kind = empty.config.model_type
    if any(kind in entry.types for entry in ENTRIES if entry.name == structure.entry):
        return f"the entry '{structure.entry}' of bench/models/entries.py, declared for {kind}"
    return f"the entry '{structure.entry}' of bench/models/entries.py, which fits; none is declared for {kind}"
