"""Which tensors are in the files that a model's weights are read from.

Names, types and shapes are read, never values: of a safetensors file its header alone, however large it is. Format of
the header: https://huggingface.co/docs/safetensors.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

from bench.errors import UserError
from bench.identity.weight_files import check_content, weight_files

FLOATS = {"torch.float64": "F64", "torch.float32": "F32", "torch.float16": "F16", "torch.bfloat16": "BF16"}
LONGEST_HEADER = 100_000_000  # bytes; the format's own limit


@dataclass(frozen=True)
class Stored:
    """One tensor as a file has it: `dtype` in the words of safetensors (F32, I8, …), or of torch."""

    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Checkpoint:
    """A model's weights as they are stored: the folder, and every tensor by its name there."""

    folder: Path
    tensors: dict[str, Stored]


def read_checkpoint(folder: Path, allow_pickle: bool = False) -> Checkpoint:
    """What the weights of the model in `folder` consist of; takes milliseconds, however large they are.

    Raises:
        UserError: see `weight_files`; or a file is empty, a Git LFS pointer, cannot be read, or is cut short.
    """
    tensors: dict[str, Stored] = {}
    for file in weight_files(folder, allow_pickle):
        check_content(file)
        try:
            found = stored_tensors(file) if file.name.endswith(".safetensors") else pickled_tensors(file)
        except OSError as error:
            raise UserError(f"{file}: the file cannot be read ({error.strerror or error})") from error
        if twice := sorted(tensors.keys() & found.keys()):
            raise UserError(f"{file}: {twice[0]} is in another shard too; which of them is the model's?")
        tensors |= found
    return Checkpoint(folder, tensors)


def stored_tensors(file: Path) -> dict[str, Stored]:
    """Every tensor of a safetensors file, from its header.

    Raises:
        UserError: the file is no safetensors file, or is cut short.
    """
    size = file.stat().st_size
    with file.open("rb") as opened:
        length = int.from_bytes(opened.read(8), "little")
        if size < 8 or not 0 < length <= min(size - 8, LONGEST_HEADER):
            raise UserError(f"{file}: cut short, or no safetensors file; copy or download it again")
        text = opened.read(length)
    try:
        header: dict[str, Any] = json.loads(text)
        header.pop("__metadata__", None)
        tensors = {name: Stored(about["dtype"], tuple(about["shape"])) for name, about in header.items()}
        end = max((about["data_offsets"][1] for about in header.values()), default=0)
    except (ValueError, TypeError, AttributeError, LookupError) as error:
        raise UserError(f"{file}: no safetensors file (its header cannot be read); download it again") from error
    if size != 8 + length + end:
        raise UserError(f"{file}: {size} bytes, but its header speaks of {8 + length + end}; copy or download it again")
    return tensors


def pickled_tensors(file: Path) -> dict[str, Stored]:
    """Every tensor of a checkpoint that torch wrote, without reading their values. Its data are unpickled, no code.

    Raises:
        UserError: it cannot be read that way.
    """
    import torch

    try:
        content = torch.load(file, map_location="meta", weights_only=True)
        return {
            name: Stored(FLOATS.get(str(tensor.dtype), str(tensor.dtype)), tuple(tensor.shape))
            for name, tensor in content.items()
        }
    except (ValueError, TypeError, AttributeError, LookupError, RuntimeError, EOFError, UnpicklingError) as error:
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(f"{file}: no weights can be read from it: {first}") from error
