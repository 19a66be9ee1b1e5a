"""The task head: what stands on top of a model that is no language model, and is trained with every method."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from bench.configuration.schema import Family
from bench.errors import UserError
from bench.models.checkpoint import Checkpoint
from bench.models.structure import Structure


@dataclass(frozen=True)
class Head:
    """A classification head of `labels` outputs; one output with `regression` is a score under a squared loss."""

    labels: int
    regression: bool = False

    def __post_init__(self) -> None:
        """Refuse a head that says nothing.

        Raises:
            UserError: no labels, a single one without regression, or several scores.
        """
        if self.regression and self.labels != 1:
            raise UserError(f"a head of {self.labels} labels is no regression, which has one score")
        if not self.regression and self.labels < 2:
            raise UserError(f"a task head of {self.labels} labels has nothing to tell apart; it needs two or more")


def usual_head(family: Family) -> Head | None:
    """The head that a model is looked at with where no task says which: none but an encoder's has to have one."""
    return Head(2) if family == Family.encoder else None


def head_parameters(model: nn.Module, structure: Structure) -> Iterator[tuple[str, nn.Parameter]]:
    """Names and parameters of the head in a model that a method may have wrapped; frozen spare copies left out."""
    for name, parameter in model.named_parameters():
        if structure.is_of_head(name) and "original_module" not in name.split("."):
            yield name, parameter


def train_head(model: nn.Module, structure: Structure) -> None:
    """Let the head's parameters require gradients, whatever the method froze."""
    for _, parameter in head_parameters(model, structure):
        parameter.requires_grad_(True)


def with_pooler(structure: Structure, model: Any, checkpoint: Checkpoint | None) -> Structure:
    """Count a pooler that the checkpoint lacks to the head.

    The head reads a text through it. Checkpoints of masked language models (BERT's) have none, so it starts at random
    like the head itself; frozen with the base it would stay so.

    Args:
        structure: of `model`.
        model: of transformers' classes, bare; its values are not looked at.
        checkpoint: its weights as they are stored; None where there is none, or it is not known yet.
    """
    if checkpoint is None or not structure.head or any("pooler" in name.split(".") for name in checkpoint.tensors):
        return structure
    inside = {id(module) for module in model.base_model.modules()}
    poolers = tuple(
        path
        for path, module in model.named_modules()
        if path.rpartition(".")[2] == "pooler" and id(module) in inside and list(module.parameters())
    )
    return replace(structure, head=(*structure.head, *poolers))


def renew(model: Any, structure: Structure, random_state: Tensor) -> None:
    """Draw the head anew, by the model's own initialiser, as if the checkpoint had none.

    Args:
        model: of transformers' classes, bare, on any device. The head is drawn on the host: a seed gives the same
            one to every method, also to one whose base is read onto a GPU.
        structure: its sites.
        random_state: what torch's generator starts from, see `torch.get_rng_state`: the same one gives the same head.
    """
    torch.set_rng_state(random_state)
    homes = {path: next(model.get_submodule(path).parameters()).device for path in structure.head}
    for path in homes:
        for module in model.get_submodule(path).to("cpu").modules():
            for thing in (module, *module.parameters(recurse=False)):
                thing._is_hf_initialized = False  # where the library notes what it has read
    model.initialize_weights()
    for path, home in homes.items():
        model.get_submodule(path).to(home)
