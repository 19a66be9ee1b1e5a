"""What a reader of a cell's scores ought to know of its model's files, although it is no reason to refuse them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.configuration.schema import Family, HeadWeights, ModelConfig, Weights
from bench.errors import UserError
from bench.identity.weight_files import INDEX, SAFE, read_json
from bench.models.checkpoint import Checkpoint
from bench.models.structure import Structure
from bench.models.text_part import is_whole


def check_head_choice(config: ModelConfig, structure: Structure) -> None:
    """Refuse to take over a head that cannot be there.

    Raises:
        UserError: the model has no task head, or is not read from a checkpoint.
    """
    if config.head != HeadWeights.checkpoint:
        return
    if not structure.head:
        raise UserError(
            f"model.head=checkpoint: {config.name} has no task head for this task; its language-model head is the "
            "checkpoint's anyway"
        )
    if config.weights == Weights.random:
        raise UserError("model.head=checkpoint needs a checkpoint, and model.weights=random reads none")


def head_origin(config: ModelConfig, structure: Structure) -> dict[str, Any] | None:
    """What the task head is and what it starts from, as the record says it; None where there is no task head."""
    return {"weights": config.head.value, "modules": list(structure.head)} if structure.head else None


def remarks(config: ModelConfig, checkpoint: Checkpoint | None, structure: Structure) -> Iterator[str]:
    """One line each.

    Args:
        config: which model.
        checkpoint: its weights as they are stored; None where it has none.
        structure: the model's sites, the head among them.
    """
    if checkpoint is None:
        return
    folder, stored = checkpoint.folder, checkpoint.tensors
    if (folder / "adapter_config.json").is_file():
        yield f"{folder / 'adapter_config.json'}: an adapter lies beside the base, and is left out of it"
    if (folder / SAFE).is_file() and (folder / (SAFE + INDEX)).is_file():
        yield f"{folder} has its weights twice: {SAFE} is read, and the shards of {SAFE + INDEX} are not"
    yield from _contradiction(folder / "config.json")
    if config.family == Family.decoder and is_whole(kind := read_json(folder / "config.json").get("model_type")):
        yield f"{folder} is a model of images and texts ({kind}); its text part alone is read"
    own = [name for name in stored if structure.is_of_head(name)]
    if own and config.head == HeadWeights.fresh:
        size = " × ".join(map(str, stored[own[-1]].shape))
        yield (
            f"{folder} brings a task head of its own ({own[-1]}: {size}); a fresh one takes its place, "
            f"model.head=checkpoint takes it over"
        )
    if poolers := [path for path in structure.head if path.rpartition(".")[2] == "pooler"]:
        yield f"{folder} has no pooler; {', '.join(poolers)} starts at random and is trained with the task head"


def _contradiction(file: Path) -> Iterator[str]:
    """Whether the class that config.json names belongs to another kind of model than it says."""
    described = read_json(file)
    kind, named = described.get("model_type"), described.get("architectures")
    for name in named if isinstance(named, list) else []:
        kinds = _kinds_of(name)
        if kinds and kind not in kinds:
            yield (
                f"{file} contradicts itself: model_type {kind!r}, and architectures {name}, which is of "
                f"{' or '.join(sorted(kinds))}; the weights are read as those of {kind!r}"
            )


def _kinds_of(name: str) -> set[str]:
    """The model types that a class of transformers is made for."""
    from transformers.models.auto import modeling_auto

    tables = (table for key, table in vars(modeling_auto).items() if key.endswith("MAPPING_NAMES"))
    items = (item for table in tables for item in table.items())
    return {kind for kind, names in items if name == names or (isinstance(names, tuple | list) and name in names)}
