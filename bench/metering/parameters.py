"""Counts of parameters, as the record asks for them; they work on the meta device too."""

from dataclasses import replace

import torch
from torch import nn

from bench.configuration.schema import ModelConfig, Weights
from bench.methods.adapting import adapt
from bench.methods.base import Method, Setting
from bench.methods.trainable import trainable_parameters
from bench.models.families import structure_of
from bench.models.head import Head, head_parameters, with_pooler
from bench.models.load import build_empty, load_architecture
from bench.models.quantisation import value_count
from bench.models.source import checkpoint_at_hand
from bench.models.structure import Structure
from bench.records.schema import Parameters


def count_all(model: nn.Module) -> int:
    """All values of a model; tied parameters once, packed ones by the weights they stand for."""
    return sum(value_count(parameter) for parameter in model.parameters())


def plan_parameters(base: ModelConfig, method: Method, head: Head | None, total_steps: int, longest: int) -> Parameters:
    """The counts of a cell that has not run: on the meta device, no weight is loaded and no memory taken.

    Args:
        base: the model; where its files cannot be read, its `architecture` serves.
        method: the method to apply.
        head: the task's.
        total_steps: optimizer steps of the training.
        longest: the longest input in tokens.

    Raises:
        UserError: the method's settings do not fit the model.
    """
    source = replace(base, weights=Weights.random) if base.architecture else base
    model = build_empty(source, load_architecture(source, head))
    structure = with_pooler(structure_of(model, base.family, base.structure), model, checkpoint_at_hand(base))
    return count_adapted(model, method, Setting(base.family, structure, total_steps, longest))


def count_adapted(model: nn.Module, method: Method, setting: Setting) -> Parameters:
    """The counts of a bare model on the meta device, which is adapted for it.

    Raises:
        UserError: the method and the model, or the method's settings, do not go together.
    """
    check_sized(method)
    method.check(setting)
    base_total = count_all(model)
    with torch.device("meta"):  # what the method adds has no values either
        model = adapt(model, method, setting)
    return count_parameters(model, method, setting.structure, base_total)


def check_sized(method: Method) -> None:
    """Whoever adapts a model has to have given the method the size of its budget; see `bench.metering.sizing`.

    Raises:
        AssertionError: it still has the budget, and its own size.
    """
    assert method.budget is None, f"{method.name} is not in the size of its budget"


def count_parameters(model: nn.Module, method: Method, structure: Structure, base_total: int) -> Parameters:
    """Count what `method` trains in the adapted `model`.

    Args:
        model: adapted, head trainable.
        method: the method that adapted it.
        structure: of the bare model.
        base_total: `count_all` of the bare model, before the method was applied.
    """
    trainable = method.trained_count(model)
    names = {name for name, _ in trainable_parameters(model)}
    head = sum(parameter.numel() for name, parameter in head_parameters(model, structure) if name in names)
    training_only = method.training_only_count(model)
    return Parameters(
        trainable=trainable,
        method=trainable - head - training_only,
        head=head,
        training_only=training_only,
        stored=method.stored_count(model),
        base_total=base_total,
    )
