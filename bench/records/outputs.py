"""What a cell leaves beside its record: its predictions and what was trained."""

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from bench.records.store import write_atomically
from bench.system.links import own_file

PREDICTIONS, TRAINED = "predictions.json", "trained.safetensors"


def write_predictions(folder: Path, references: dict[str, list[Any]], predictions: dict[str, list[Any]]) -> None:
    """Write references and predictions of each split; paired tests between methods are made from them."""
    folder.mkdir(parents=True, exist_ok=True)
    content = {"references": references, "predictions": predictions}
    write_atomically(folder / PREDICTIONS, json.dumps(content, ensure_ascii=False).encode())


def write_trained(folder: Path, state: dict[str, Tensor], keep: bool) -> int:
    """Write what was trained as safetensors.

    Args:
        folder: the cell's.
        state: as the method's `stored_state` gives it.
        keep: False writes nothing; full fine-tuning of a large model fills a disk.

    Returns:
        The file's size in bytes; without a file, that of its tensors.

    Raises:
        OSError: it cannot be written; nothing is left of it.
    """
    tensors = {name: tensor.detach().to("cpu").contiguous() for name, tensor in state.items()}
    if not keep:
        return sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
    folder.mkdir(parents=True, exist_ok=True)
    scratch = own_file(folder / f".{TRAINED}")
    try:
        save_file(tensors, scratch)
    except SafetensorError as error:
        scratch.unlink(missing_ok=True)
        raise OSError(f"cannot write {folder / TRAINED}: {error}") from error
    scratch.chmod(0o644)  # safetensors makes files private; others who share the results read them too
    return scratch.replace(folder / TRAINED).stat().st_size
