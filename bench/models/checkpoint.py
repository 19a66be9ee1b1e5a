"""What a model's folder holds: which files its weights are read from, and which tensors are in them.

Names, types and shapes are read, never values: of a safetensors file its header alone, however large it is. Format of
the header: https://huggingface.co/docs/safetensors.
"""

import json
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from pickle import UnpicklingError
from typing import Any

from bench.errors import UserError
from bench.system.git_lfs import is_pointer

INDEX = ".index.json"  # ends the name of a file that says which tensor is in which shard
SAFE, PICKLED = "model.safetensors", "pytorch_model.bin"
FLOATS = {"torch.float64": "F64", "torch.float32": "F32", "torch.float16": "F16", "torch.bfloat16": "BF16"}
# Where such a file lies, transformers reads nothing else: torch's distributed checkpoint.
DISTRIBUTED = "shard-*-model-*-of-*.safetensors"
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
        UserError: see `weight_files`; or a file cannot be read, or is cut short.
    """
    tensors: dict[str, Stored] = {}
    for file in weight_files(folder, allow_pickle):
        try:
            found = stored_tensors(file) if file.name.endswith(".safetensors") else pickled_tensors(file)
        except OSError as error:
            raise UserError(f"{file}: the file cannot be read ({error.strerror or error})") from error
        if twice := sorted(tensors.keys() & found.keys()):
            raise UserError(f"{file}: {twice[0]} is in another shard too; which of them is the model's?")
        tensors |= found
    return Checkpoint(folder, tensors)


def weight_files(folder: Path, allow_pickle: bool = False) -> list[Path]:
    """The files that a model in `folder` has its weights from: one, or the shards that its index names, by name.

    Args:
        folder: the model's, with its config.json.
        allow_pickle: whether files that can run code when they are read are taken where there are no safetensors.

    Raises:
        UserError: a file is missing, is empty, is a Git LFS pointer, lies elsewhere or is of another kind.
    """
    first = first_file(folder, allow_pickle)
    check_content(first)
    if not first.name.endswith(INDEX):
        return [first]
    return [_shard(folder, first, name, allow_pickle) for name in sorted(set(weight_map(first).values()))]


def first_file(folder: Path, allow_pickle: bool = False) -> Path:
    """The file of all weights, or the index of their shards, in the order in which transformers looks for them.

    Raises:
        UserError: there is none.
    """
    if parts := sorted(file.name for file in folder.glob(DISTRIBUTED)):
        raise UserError(f"{folder}: a checkpoint of several processes ({parts[0]}); save it whole, or move that away")
    named = read_json(folder / "config.json").get("transformers_weights")  # in place of the usual names
    if named is not None:
        if not isinstance(named, str) or not named.endswith((".safetensors", f".safetensors{INDEX}")):
            raise UserError(f"{folder / 'config.json'}: transformers_weights={named!r} names no safetensors")
        return _inside(folder, folder / "config.json", named)
    names: list[str] = [SAFE, SAFE + INDEX, *((PICKLED, PICKLED + INDEX) if allow_pickle else ())]
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise UserError(_why_none(folder, names))


def weight_map(index: Path) -> dict[str, str]:
    """The shard of each tensor, as an index names them.

    Raises:
        UserError: it is no index.
    """
    content = read_json(index).get("weight_map")
    if not isinstance(content, dict) or not content or not all(isinstance(name, str) for name in content.values()):
        raise UserError(f"{index}: no index of weights (weight_map does not say which file each tensor is in)")
    return content


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


def check_content(file: Path) -> None:
    """Refuse what stands in the place of a file.

    Raises:
        UserError: it is empty, or a Git LFS pointer.
    """
    if not file.stat().st_size:
        raise UserError(f"{file}: the file is empty; copy or download it again")
    if is_pointer(file):
        raise UserError(f"{file}: a Git LFS pointer, not the file itself; run `git lfs pull` where it was cloned")


def read_json(file: Path) -> dict[str, Any]:
    """The mapping that a JSON file holds.

    Raises:
        UserError: it is missing, or holds something else.
    """
    try:
        content = json.loads(file.read_bytes())
    except FileNotFoundError as error:
        raise UserError(f"{file}: the file is missing") from error
    except (ValueError, RecursionError) as error:  # text that is no UTF-8 among them
        check_content(file)
        raise UserError(f"{file}: no JSON ({error})") from error
    if not isinstance(content, dict):
        raise UserError(f"{file}: a JSON mapping is expected")
    return content


def _shard(folder: Path, index: Path, name: str, allow_pickle: bool) -> Path:
    file = _inside(folder, index, name)
    if not name.endswith(".safetensors") and not allow_pickle:
        raise UserError(
            f"{index} names {name}, which is no safetensors file; a pickle can run code when read, "
            f"add model.allow_pickle=true if you trust it"
        )
    check_content(file)
    return file


def _inside(folder: Path, source: Path, name: str) -> Path:
    """The file called `name`, which `source` says belongs to the model. Links that a user has laid may lead out."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise UserError(f"{source} names {name}, which is outside of the model's folder")
    if not (folder / path).is_file():
        raise UserError(f"{folder / path}: the file is missing, and {source.name} names it; copy or download it")
    return folder / path


def _why_none(folder: Path, names: list[str]) -> str:
    pickles = [file.name for file in folder.glob("*.bin") if file.name.startswith("pytorch_model")]
    if pickles and SAFE in names and PICKLED not in names:
        return (
            f"{folder} has no safetensors; a pickle checkpoint ({min(pickles)}) can run code when read, "
            f"add model.allow_pickle=true if you trust it"
        )
    shards = sorted(file.name for file in folder.glob("*-of-*.safetensors"))
    if shards:
        return f"{folder} has shards such as {shards[0]}, but {SAFE + INDEX}, which says what is where, is missing"
    if (folder / "adapter_config.json").is_file():
        return f"{folder} holds an adapter, not a model: {SAFE} is missing; give the folder of its base"
    return f"{folder}: no weights there ({' and '.join(names[:2])} are missing)"
