"""Which data a cell has read, split by split, and what a split's files hold now.

Whoever finds a split says so here (`read_files`, `read_revision`), and the running cell collects it (`reading`): every
split that is read is in the record, whichever task asked for it.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import Any

from bench.identity.digests import digest_of, whole
from bench.identity.own_files import folder_with

SUFFIXES = (".parquet", ".jsonl")
Splits = dict[str, dict[str, Any]]  # "nyu-mll/glue/rte/train" → what is known of it

_READ: ContextVar[Splits | None] = ContextVar("read", default=None)


@contextmanager
def reading() -> Iterator[Splits]:
    """Collect what is read within the block."""
    splits: Splits = {}
    token = _READ.set(splits)
    try:
        yield splits
    finally:
        _READ.reset(token)


def read_files(name: str, split: str, root: Path, files: Sequence[Path]) -> None:
    """Take note of a split that is read from files of a mirror.

    Args:
        name: the data set's, which is its folder below `root`.
        split: "train", "validation", …
        root: of the mirror.
        files: below it.
    """
    if (splits := _READ.get()) is not None:
        relative = [file.relative_to(root).as_posix() for file in files]
        splits[f"{name}/{split}"] = {"digest": _digest(root, name, split, relative), "files": relative}


def read_generated(name: str, split: str, root: Path, files: Sequence[Path]) -> None:
    """As `read_files`, of the package's own artificial data: their generator tells them too."""
    read_files(name, split, root, files)
    if (splits := _READ.get()) is not None:
        splits[f"{name}/{split}"]["generator"] = _generator()


def read_own(where: str, folder: Path, names: Sequence[str]) -> None:
    """Take note of a split that is read from files which a task names itself.

    Args:
        where: what the record calls it.
        folder: that the names start from.
        names: of the files.
    """
    if (splits := _READ.get()) is not None:
        splits[where] = {"digest": _digest_of_files(folder, names), "files": list(names), "own": str(folder)}


def read_revision(name: str, split: str, revision: str) -> None:
    """Take note of a split of the hub; `revision` stands for its content."""
    if (splits := _READ.get()) is not None:
        splits[f"{name}/{split}"] = {"digest": revision}


def changed(where: str, recorded: dict[str, Any], root: str | None) -> bool | None:
    """Whether a split holds something else than when it was read; None: it cannot be seen from here.

    Args:
        where: data set and split, as in the record.
        recorded: what the record says of it.
        root: `data.root`.
    """
    folder: Path | None
    if recorded.get("own") is not None and recorded.get("files"):
        folder = folder_with(recorded["files"][0], root)
        return None if folder is None else _digest_of_files(folder, recorded["files"]) != str(recorded["digest"])
    if recorded.get("generator") is not None:
        if recorded["generator"] == _generator():
            return False
        folder = _mirror()
    else:
        folder = None if root is None else Path(root).expanduser()
    if folder is None or not folder.is_dir() or not recorded.get("files"):
        return None
    name, _, split = where.rpartition("/")
    return _digest(folder, name, split, recorded["files"]) != str(recorded["digest"])


def _digest(root: Path, name: str, split: str, files: Sequence[str]) -> str:
    """Of the files' content, and of the names of all that could be taken for the split's: another may come first."""
    return digest_of(*_contents(root, files), *_named(root, name, split))


def _digest_of_files(folder: Path, names: Sequence[str]) -> str:
    return digest_of(*_contents(folder, names))


def _contents(folder: Path, names: Sequence[str]) -> list[str]:
    try:
        return [text for name in names for text in (name, whole(folder / name))]
    except OSError:
        return ["missing"]


def _named(root: Path, name: str, split: str) -> list[str]:
    """The files that are called like a split's, in both folders in which a repository may have them."""
    found = []
    for folder in (name, f"{name}/data"):
        try:
            names = sorted(entry.name for entry in (root / folder).iterdir())
        except OSError:
            continue
        named = [file for file in names if file.startswith((f"{split}-", f"{split}.")) and file.endswith(SUFFIXES)]
        found += [f"{folder}/{file}" for file in named]
    return found


@cache
def _generator() -> str:
    from bench.miniature.mirror import generator_fingerprint

    return generator_fingerprint()


def _mirror() -> Path:
    """Where the miniature's data lie once they have been generated."""
    from bench.miniature.mirror import mirror_folder

    return mirror_folder()
