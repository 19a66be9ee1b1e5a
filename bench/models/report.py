"""Whether a model's weights are what they claim to be: what `from_pretrained` reports, judged, and the values.

transformers fills in at random whatever tensor it does not find, and leaves aside whatever it has no place for. Here
that is allowed of the task head alone: a new one for its own task, or one of another task that is not wanted.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from bench.errors import UserError
from bench.models.checkpoint import Checkpoint
from bench.models.structure import Structure

NAMED = 3  # tensors, of those that are at fault


@dataclass(frozen=True)
class Read:
    """A model as `from_pretrained` made it of a checkpoint, before its tensors and values are judged.

    Attributes:
        model: of transformers' classes, bare.
        report: which tensors were missing, too many, or of other sizes; see `check_base`.
        structure: its sites.
        checkpoint: what its files hold.
    """

    model: Any
    report: Mapping[str, Any]
    structure: Structure
    checkpoint: Checkpoint


def check_base(model: Any, report: Mapping[str, Any], structure: Structure, source: str) -> None:
    """Refuse a checkpoint whose tensors are not those of the base.

    Args:
        model: of transformers' classes, bare, as `from_pretrained` returned it.
        report: what it returned with `output_loading_info=True`, sizes that differ let pass; tied tensors and those
            that the library knows to be dispensable are not in it.
        structure: the model's sites, the head among them.
        source: what the user called the checkpoint.

    Raises:
        UserError: tensors are missing, too many, or of other sizes than config.json has it.
    """
    kind = f"model_type {model.config.model_type!r} in config.json"
    sizes = {name: shapes for name, *shapes in report["mismatched_keys"] if not structure.is_of_head(name)}
    if sizes:
        name, (stored, wanted) = min(sizes.items())
        raise UserError(
            f"{source}: {_count(sizes, 'tensor')} of the base of other sizes than {kind} asks for, the first "
            f"{name}: {_size(stored)} in the checkpoint, {_size(wanted)} by config.json"
        )
    base = base_tensors(model, structure)
    missing = [name for name in base if name in report["missing_keys"]]
    strange = sorted(name for name in report["unexpected_keys"] if not structure.is_of_head(name))
    surplus = [name for name in strange if is_of_base(name, model)]
    if missing:
        unknown = surplus or (strange if missing == base else [])
        others = f"; it has {_count(unknown, 'tensor')} of names unknown to it: {_first(unknown)}" if unknown else ""
        raise UserError(
            f"{source}: the checkpoint lacks {len(missing)} of the {len(base)} tensors of the base that {kind} asks "
            f"for: {_first(missing)}{others}"
        )
    if surplus:
        raise UserError(
            f"{source}: the checkpoint has {_count(surplus, 'tensor')} of the base that {kind} has no place for: "
            f"{_first(surplus)}"
        )


def base_tensors(model: Any, structure: Structure) -> list[str]:
    """Names of the tensors that a checkpoint of the base has to have; a tied one under each of its names."""
    own = (*model.named_parameters(remove_duplicate=False), *model.named_buffers())
    saved = model.state_dict().keys()  # without buffers that are computed
    return [name for name, _ in own if name in saved and not structure.is_of_head(name)]


def check_head(report: Mapping[str, Any], structure: Structure, source: str) -> None:
    """Refuse a checkpoint without a task head that fits the task.

    Args:
        report: see `check_base`.
        structure: the model's sites.
        source: what the user called the checkpoint.

    Raises:
        UserError: tensors of the head are missing, or of another size than the task's labels ask for.
    """
    sizes = {name: shapes for name, *shapes in report["mismatched_keys"] if structure.is_of_head(name)}
    if sizes:
        name, (stored, wanted) = min(sizes.items())
        raise UserError(
            f"model.head=checkpoint: the head of {source} does not fit the task: {name} is {_size(stored)}, and the "
            f"task asks for {_size(wanted)}; model.head=fresh takes a new one"
        )
    missing = sorted(name for name in report["missing_keys"] if structure.is_of_head(name))
    strange = sorted(name for name in report["unexpected_keys"] if structure.is_of_head(name))
    if missing or strange:
        lacks = f"lacks {_first(missing)}" if missing else f"has more than the model: {_first(strange)}"
        raise UserError(
            f"model.head=checkpoint: {source} has no head for this task; it {lacks}; model.head=fresh takes a new one"
        )


def check_values(model: Any, source: str) -> None:
    """Refuse weights that are no numbers; one of them makes every score meaningless.

    Raises:
        UserError: NaN, or an infinite value.
    """
    # A sum shows it and needs no memory; where finite values overflow it, they are looked at one by one.
    suspects = [(name, p) for name, p in model.named_parameters() if not torch.isfinite(p.detach().sum())]
    if bad := [name for name, parameter in suspects if not torch.isfinite(parameter).all()]:
        raise UserError(f"{source}: NaN or infinite values in {_count(bad, 'tensor')}: {_first(bad)}")


def is_of_base(name: str, model: Any) -> bool:
    """Whether a tensor that the model has no place for lies where its base does: a further layer, one misspelt.

    Heads of other tasks lie beside the base; and of the base's own modules some tasks leave one out, such as a pooler.
    """
    base = model.base_model
    inside = name.removeprefix(f"{model.base_model_prefix}.").split(".")
    # Buffers that the library computes, and that checkpoints of older versions hold.
    computed = {path.rpartition(".")[2] for path, _ in model.named_buffers()}
    return inside[0] in dict(base.named_children()) and inside[-1] not in computed


def _count(things: Collection[str], what: str) -> str:
    return f"{len(things)} {what}{'' if len(things) == 1 else 's'}"


def _first(names: list[str]) -> str:
    return ", ".join(names[:NAMED]) + (", …" if len(names) > NAMED else "")


def _size(shape: Iterable[int]) -> str:
    return " × ".join(map(str, shape)) or "a single number"
