"""`bench check model=…`: everything that can be said of a model before anything is trained on it."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from bench.configuration.cell import Cell
from bench.configuration.schema import ModelConfig, Weights
from bench.errors import UserError
from bench.identity.model import folder_of
from bench.models.families import structure_of
from bench.models.head import usual_head, with_pooler
from bench.models.load import build_empty, load_architecture
from bench.models.source import checkpoint_at_hand, is_local
from bench.running.model_check.inside import embedding_rows, look_at_sizes, look_at_structure
from bench.running.model_check.methods import look_at_methods
from bench.running.model_check.origin import look_at_origin
from bench.running.model_check.report import ModelReport
from bench.running.model_check.sample import sample_of
from bench.running.model_check.tokens import look_at_tokens
from bench.running.model_check.weights import look_at_weights
from bench.system.hub import offline_if_unreachable


def look_at_model(cell: Cell, cells: Mapping[str, Callable[[], Cell]], text: str | None = None) -> ModelReport:
    """Look at the model of a cell; its task and its method have no part in it.

    Its inside is read off its configuration, without values. Weights are read where they are on this machine already;
    of the hub, configuration and tokenizer are downloaded and no weights.

    Args:
        cell: names the model.
        cells: by the method's name, what composes a cell of the model with it.
        text: to be cut into tokens and read; None: one that the model ought to know.

    Raises:
        UserError: there is no such model, its configuration or `model.structure` cannot be read, or the text is empty.
    """
    if text is not None and not text.strip():
        raise UserError("sample= is empty; give it a sentence")
    base, folder = cell.base, folder_of(cell.config["model"])
    source = _readable(base, is_here=folder is not None)
    architecture = load_architecture(source, usual_head(base.family))
    empty = build_empty(source, architecture)
    structure = with_pooler(structure_of(empty, base.family, base.structure), empty, checkpoint_at_hand(base))
    text = sample_of(base) if text is None else text
    tokens, tokenizer = look_at_tokens(base, architecture, embedding_rows(empty), text)
    ids = [] if tokenizer is None else list(tokenizer(text)["input_ids"])[: structure.max_positions]
    sections = {
        "origin": look_at_origin(cell, source, folder),
        "sizes": look_at_sizes(base, source, empty),
        "structure": look_at_structure(base, empty, structure),
        "methods": look_at_methods(source, architecture, structure, cells),
        "tokenizer": tokens,
        "weights": look_at_weights(base, folder, architecture, empty, tokens=ids, seed=cell.seed),
    }
    return ModelReport(cell.model, base.family.value, sections)


def _readable(base: ModelConfig, *, is_here: bool) -> ModelConfig:
    """The model, or where its files are out of reach, what its preset spells out of it, with weights at random."""
    is_remote = base.weights == Weights.pretrained and not is_here and not is_local(base)
    spelt_out = bool(base.architecture) and base.hub is not None
    return replace(base, weights=Weights.random) if is_remote and spelt_out and offline_if_unreachable() else base
