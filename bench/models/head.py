"""The task head: what stands on top of an encoder, and is trained with every method."""

from collections.abc import Iterator
from dataclasses import dataclass

from torch import nn

from bench.models.structure import Structure


@dataclass(frozen=True)
class Head:
    """A classification head of `labels` outputs; one output with `regression` is a score under a squared loss."""

    labels: int
    regression: bool = False


def head_parameters(model: nn.Module, structure: Structure) -> Iterator[tuple[str, nn.Parameter]]:
    """Names and parameters of the head in a model that a method may have wrapped; frozen spare copies left out."""
    for name, parameter in model.named_parameters():
        if structure.is_of_head(name) and "original_module" not in name.split("."):
            yield name, parameter


def train_head(model: nn.Module, structure: Structure) -> None:
    """Let the head's parameters require gradients, whatever the method froze."""
    for _, parameter in head_parameters(model, structure):
        parameter.requires_grad_(True)
