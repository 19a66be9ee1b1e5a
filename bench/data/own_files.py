"""Files of the user's own that a task's YAML names: where they lie, and what is in them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from bench.data.columns import Rules, table_of_lines
from bench.data.content import content_of, digest_of
from bench.data.delimited import SUFFIXES, Dialect, read_delimited
from bench.data.json_lines import read_json, read_json_lines
from bench.data.parquet import read_parquet
from bench.data.shards import shards_in
from bench.errors import UserError
from bench.identity.own_files import folder_with, folders

KINDS = (*SUFFIXES, ".json", ".jsonl", ".parquet")


@dataclass(frozen=True)
class OwnFiles:
    """The files of one split.

    Attributes:
        folder: that their names start from.
        names: below it.
        digests: SHA-256 of each one's bytes.
        delimiter, quotes: of delimited text, see `Dialect.of`.
    """

    folder: Path
    names: tuple[str, ...]
    digests: tuple[bytes, ...]
    delimiter: str | None
    quotes: bool | None

    def fingerprint(self) -> str:
        """Of their content."""
        return "-".join(digest.hex()[:16] for digest in self.digests)

    def read(self, rules: Rules) -> pa.Table:
        """The columns that `rules` asks for, of all files.

        Raises:
            UserError: a file that cannot be read, a missing column, a value that is not as its rule says.
        """
        tables = []
        for name, digest in zip(self.names, self.digests, strict=True):
            file = self.folder / name
            tables.append(self._read_one(file, content_of(file, digest), rules))
        return pa.concat_tables(tables)

    def _read_one(self, file: Path, content: bytes, rules: Rules) -> pa.Table:
        if file.suffix == ".parquet":
            return read_parquet(content, file, rules)
        if file.suffix in (".json", ".jsonl"):
            read = read_json if file.suffix == ".json" else read_json_lines
            return table_of_lines(read(content, file, rules), rules, str(file))
        lines = read_delimited(content, file, rules, Dialect.of(file, self.delimiter, self.quotes))
        return table_of_lines(lines, rules, str(file))


def find_own(
    names: Sequence[str], split: str, root: str | None, delimiter: str | None = None, quotes: bool | None = None
) -> OwnFiles:
    """Look for the files of a split.

    Args:
        names: of files, or of one folder in which the split's files lie as in a mirror; relative ones start from
            `data.root` where it is given, else from `--config-dir`, else from where the command was started.
        split: "train", "validation", "test".
        root: `data.root`.
        delimiter: of delimited text, see `Dialect.of`.
        quotes: likewise.

    Raises:
        UserError: one is not there, or of a kind that is not read.
    """
    folder = folder_with(names[0], root)
    if folder is None:
        places = ", ".join(map(str, folders(root)))
        raise UserError(f"task.data.files: {names[0]} is neither in {places.replace(', ', ' nor in ')}")
    found = [name for name in names for name in _files(folder, name, split)]
    for name in found:
        if Path(name).suffix not in KINDS:
            raise UserError(f"task.data.files: {name} is none of {', '.join(KINDS)}")
    if twice := [name for name in found if found.count(name) > 1]:
        raise UserError(f"task.data.files: {twice[0]} is named twice")
    return OwnFiles(folder, tuple(found), tuple(digest_of(folder / name) for name in found), delimiter, quotes)


def splits_of(files: str | Mapping[str, str | Sequence[str]], roles: Sequence[str], root: str | None) -> list[str]:
    """Which splits `task.data.files` has: those that it names, or that lie in the folder that it is."""
    if not isinstance(files, str):
        return [role for role in roles if role in files]
    folder = folder_with(files, root)
    if folder is None or not (folder / files).is_dir():
        return ["train"]
    return [role for role in roles if _in_folder(folder / files, role)] or ["train"]


def _files(folder: Path, name: str, split: str) -> list[str]:
    if not (folder / name).is_dir():
        return [name]
    found = _in_folder(folder / name, split)
    if not found:
        raise UserError(
            f"task.data.files: {folder / name} has no {split}.csv, .tsv, .json, .jsonl or .parquet; name the files one "
            "by one"
        )
    return [str(Path(name) / file.name) for file in found]


def _in_folder(folder: Path, split: str) -> list[Path]:
    try:
        delimited = [file for suffix in (*SUFFIXES, ".json") if (file := folder / f"{split}{suffix}").is_file()]
        sharded = shards_in(folder, split)
    except OSError as error:
        raise UserError(f"cannot look into {error.filename}: {error.strerror}") from error
    if len(delimited) + bool(sharded) > 1:
        both = [*delimited, *sharded]
        raise UserError(f"{both[0]} and {both[1].name} both claim to be the split {split}; keep one")
    return delimited or sharded
