"""What a model's folder holds: fingerprints of its weights, its configuration and its tokenizer.

All functions take the section `model` of a cell's configuration, and give None for what they cannot see from here.
"""

import json
import os
from pathlib import Path
from typing import Any

from bench.errors import UserError
from bench.identity.digests import digest_of, tensors, whole
from bench.identity.weight_files import weight_files

CONFIGURATION = ("config.json", "generation_config.json")
NO_MATTER = ("_name_or_path", "transformers_version")  # of these, where a model was before, and what wrote it
TOKENIZER = (
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab*", "merges*",
    "*.model", "*.tiktoken",
)  # fmt: skip


def folder_of(model: dict[str, Any]) -> Path | None:
    """Where the model's files are: the user's folder, the package's, or the hub's cache."""
    if model.get("path") is not None:
        folder = Path(model["path"]).expanduser()
        return folder if folder.is_dir() else None
    if model.get("shipped") is not None:
        from bench.miniature.backbones import backbone_path

        try:
            return backbone_path(model["shipped"])
        except (ValueError, FileNotFoundError):
            return None
    return None if model.get("hub") is None else _in_hub_cache(model["hub"], model.get("revision") or "main")


def weights(model: dict[str, Any]) -> dict[str, Any] | None:
    """A digest of all tensors, and how many files and bytes they are; in which files they lie does not matter.

    Random weights follow from the architecture, the seed (which the cell has anyway), and the libraries that draw them.
    """
    if model.get("weights") == "random":
        made = configuration(model)
        return None if made is None else {"digest": digest_of("random", made), "source": "random"}
    folder = folder_of(model)
    if folder is None:
        return None
    try:
        files = weight_files(folder, bool(model.get("allow_pickle")))
        found = [(name, digest) for file in files for name, digest in tensors(file).items()]
        size = sum(file.stat().st_size for file in files)
    except (OSError, UserError):
        return None
    digest = digest_of(*(text for pair in sorted(found) for text in pair))
    described = {"digest": digest, "source": _source(model), "files": len(files), "bytes": size}
    return described | ({"revision": folder.name} if described["source"] == "hub" else {})


def configuration(model: dict[str, Any]) -> str | None:
    """A digest of what shapes the model: its configuration, and that of its generation."""
    if model.get("weights") == "random" and model.get("architecture"):
        return digest_of(json.dumps(model["architecture"], sort_keys=True, default=str))
    folder = folder_of(model)
    if folder is None or not (folder / CONFIGURATION[0]).is_file():
        return None
    return digest_of(*(text for name in CONFIGURATION for text in (name, _settings(folder / name))))


def tokenizer(model: dict[str, Any]) -> str | None:
    """A digest of the content of all files that a tokenizer is read from."""
    folder = folder_of(model)
    if folder is None:
        return None
    files = sorted({file for pattern in TOKENIZER for file in folder.glob(pattern) if file.is_file()})
    try:
        return digest_of(*(text for file in files for text in (file.name, whole(file)))) if files else None
    except OSError:
        return None


def _source(model: dict[str, Any]) -> str:
    return next(source for source in ("path", "shipped", "hub") if model.get(source) is not None)


def _settings(file: Path) -> str:
    """A JSON file's content without what does not matter; "" where there is no such file."""
    try:
        text = file.read_bytes()
    except OSError:
        return ""
    try:
        content = json.loads(text)
    except ValueError:
        return text.decode(errors="replace")
    if isinstance(content, dict):
        content = {key: value for key, value in content.items() if key not in NO_MATTER}
    return json.dumps(content, sort_keys=True)


def _in_hub_cache(repository: str, revision: str) -> Path | None:
    """The snapshot that was downloaded last, see huggingface_hub's documentation of its cache."""
    environment = os.environ
    home = environment.get("HF_HOME") or os.path.join(environment.get("XDG_CACHE_HOME") or "~/.cache", "huggingface")
    cache = environment.get("HF_HUB_CACHE") or environment.get("HUGGINGFACE_HUB_CACHE") or os.path.join(home, "hub")
    folder = Path(cache).expanduser() / f"models--{repository.replace('/', '--')}"
    try:
        commit = (folder / "refs" / revision).read_text().strip()
    except OSError:
        commit = revision
    snapshot = folder / "snapshots" / commit
    return snapshot if snapshot.is_dir() else None
