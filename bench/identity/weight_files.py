"""Which files a model's weights are read from: one, or the shards that an index names.

What transformers would read, in its order; nothing else counts as the model, for its fingerprint or its loading.
"""

import json
from pathlib import Path, PurePosixPath
from typing import Any

from bench.errors import UserError
from bench.system.git_lfs import is_pointer

INDEX = ".index.json"  # ends the name of a file that says which tensor is in which shard
SAFE, PICKLED = "model.safetensors", "pytorch_model.bin"
# Where such a file lies, transformers reads nothing else: torch's distributed checkpoint.
DISTRIBUTED = "shard-*-model-*-of-*.safetensors"


def weight_files(folder: Path, allow_pickle: bool = False) -> list[Path]:
    """The files that a model in `folder` has its weights from, by name: all of them are there.

    Args:
        folder: the model's, with its config.json.
        allow_pickle: whether files that can run code when they are read are taken where there are no safetensors.

    Raises:
        UserError: there is none, one is missing, lies elsewhere or is of another kind.
    """
    first = first_file(folder, allow_pickle)
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
