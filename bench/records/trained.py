"""The folder `trained` beside a record: what was trained, and a manifest that tells whether it is still that.

Methods of the peft library have the library's two files there, all others `state.safetensors`, the method's own
tensors. Never both: the manifest says which, and the SHA-256 of each.
"""

import hashlib
import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from bench.errors import UserError
from bench.records.store import write_atomically
from bench.system.links import link_in
from bench.system.plain_files import why

FOLDER, MANIFEST = "trained", "manifest.json"
STATE = "state.safetensors"
PEFT_TENSORS, PEFT_SETTINGS = "adapter_model.safetensors", "adapter_config.json"
FILES = {"state": (STATE,), "peft": (PEFT_TENSORS, PEFT_SETTINGS)}  # of each form, the tensors' first
METADATA = {"format": "pt"}  # transformers asks for it
VERSION = 1


@dataclass(frozen=True)
class Trained:
    """What was trained.

    Attributes:
        tensors: of the method and of the head, by the names of the form.
        settings: of the peft library's `adapter_config.json`; None: the form is the method's own.
        reason: why it is not the peft library's form; "" where it is.
        folder: where it was read from; None: nowhere.
    """

    tensors: dict[str, Tensor]
    settings: dict[str, Any] | None = None
    reason: str = ""
    folder: Path | None = field(default=None, compare=False)

    @property
    def form(self) -> str:
        """Of `FILES`."""
        return "state" if self.settings is None else "peft"


def write_trained(folder: Path, trained: Trained, keep: bool, config_hash: str) -> int:
    """Write what was trained, in the place of what an earlier attempt left.

    Args:
        folder: the cell's.
        trained: its tensors may be on any device.
        keep: False writes nothing; full fine-tuning of a large model fills a disk.
        config_hash: the cell's.

    Returns:
        The size in bytes of the file of tensors; without a file, that of its tensors.

    Raises:
        OSError: it cannot be written; nothing is left of it, and what was there before is as it was.
    """
    tensors = {name: tensor.detach().to("cpu").contiguous() for name, tensor in trained.tensors.items()}
    home, scratch = folder / FOLDER, folder / f".{FOLDER}"
    _remove(scratch)
    if not keep:
        _remove(home)  # of an earlier attempt, not of this one
        return sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
    scratch.mkdir(parents=True)
    try:
        first, *others = FILES[trained.form]
        _save(tensors, scratch / first, home / first)
        for name in others:
            write_atomically(scratch / name, _json(trained.settings))
        said = {"version": VERSION, "form": trained.form, "cell": config_hash, "why_not_peft": trained.reason or None}
        said["files"] = {name: _described(scratch / name) for name in FILES[trained.form]}
        write_atomically(scratch / MANIFEST, _json(said))
    except BaseException:
        _remove(scratch)
        raise
    _remove(home)
    scratch.rename(home)
    return (home / first).stat().st_size


def read_trained(folder: Path, config_hash: str) -> Trained:
    """Read what a cell has trained, once all files are what the manifest says.

    Args:
        folder: the cell's.
        config_hash: the cell's.

    Raises:
        UserError: it was not kept, is damaged, or is another cell's.
    """
    home = folder / FOLDER
    if not home.is_dir():
        raise UserError(f"{home}: no such folder; the cell was run with save_trained=false, or it was moved away")
    try:
        if (link := link_in(home)) is not None:
            raise UserError(f"{link} is a link, and a cell's files are its own")
        said = _manifest(home, config_hash)
        names = FILES[said["form"]]
        for name in names:
            _check(home / name, said["files"].get(name))
        settings = json.loads((home / PEFT_SETTINGS).read_bytes()) if said["form"] == "peft" else None
        return Trained(load_file(home / names[0]), settings, said.get("why_not_peft") or "", home)
    except OSError as error:
        raise UserError(f"cannot read {home}: {why(error)}") from error
    except (SafetensorError, ValueError) as error:
        raise UserError(f"{home}: damaged ({error})") from error


def _manifest(home: Path, config_hash: str) -> dict[str, Any]:
    path = home / MANIFEST
    if not path.is_file():
        raise UserError(f"{path}: the file is missing, so nobody knows whose tensors these are")
    try:
        said = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: no JSON ({error})") from error
    version = said.get("version") if isinstance(said, dict) else None
    if type(version) is int and version > VERSION:
        raise UserError(f"{path}: version {version} is newer than the {VERSION} known here; update bench")
    if version != VERSION or said.get("form") not in FILES or not isinstance(said.get("files"), dict):
        raise UserError(f"{path}: not a manifest of what a cell has trained")
    if said.get("cell") != config_hash:
        raise UserError(f"{home} is of another cell than the record beside it; put the right one there")
    found: dict[str, Any] = said
    return found


def _check(path: Path, said: Any) -> None:
    if not path.is_file():
        raise UserError(f"{path}: the file is missing")
    if _described(path) != said:
        raise UserError(f"{path}: the file has changed since it was written; copy it again, or run the cell again")


def _described(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        return {"bytes": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def _save(tensors: dict[str, Tensor], path: Path, called: Path) -> None:
    try:
        save_file(tensors, path, metadata=METADATA)
    except SafetensorError as error:
        raise OSError(f"cannot write {called}: {error}") from error
    path.chmod(0o644)  # safetensors makes files private; others who share the results read them too


def _remove(path: Path) -> None:
    """A folder with all that is in it; of a link, the link alone."""
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path)


def _json(content: Any) -> bytes:
    return json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False).encode()
