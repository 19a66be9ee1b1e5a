"""The files of a local mirror: parquet or JSON lines in the hub's layout, or GLUE's original TSV files."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from bench.data.columns import Rules, table_of_lines
from bench.data.content import content_of, digest_of
from bench.data.glue_tsv import original_files, read_original
from bench.data.json_lines import read_json_lines
from bench.data.parquet import read_parquet
from bench.data.shards import shards_in
from bench.errors import UserError

SHOWN = 5  # of a folder's files, in messages


@dataclass(frozen=True)
class MirrorFiles:
    """The files that hold one split, in order.

    Attributes:
        root: the mirror's folder; the files are below it.
        subset, split: see `find_files`.
        files: parquet, JSON lines or TSV.
        digests: the SHA-256 of each.
    """

    root: Path
    subset: str | None
    split: str
    files: tuple[Path, ...]
    digests: tuple[bytes, ...]

    @property
    def kind(self) -> str:
        """The suffix: "parquet", "jsonl" or "tsv"."""
        return self.files[0].suffix[1:]

    @property
    def what(self) -> str:
        """What they are called in messages."""
        return str(self.files[0]) if len(self.files) == 1 else f"{self.files[0].parent}, split {self.split}"

    def fingerprint(self) -> str:
        """Of the files' bytes, 16 hexadecimal digits; neither their place nor their times count."""
        return hashlib.sha256(b"".join([self.kind.encode(), *self.digests])).hexdigest()[:16]

    def read(self, rules: Rules) -> pa.Table:
        """The columns that `rules` asks for.

        Raises:
            UserError: a file that cannot be read, that is there twice, or that is not as the rules say; with file, row
                and column.
        """
        tables: list[pa.Table] = []
        known: dict[bytes, Path] = {}
        for file, digest in zip(self.files, self.digests, strict=True):
            table = self._read_one(file, digest, rules)
            other = known.setdefault(digest, file)
            if other is not file and len(table):
                raise UserError(f"{other} and {file.name} hold the same rows; one is a copy of the other")
            tables.append(table)
        return pa.concat_tables(tables)

    def _read_one(self, file: Path, digest: bytes, rules: Rules) -> pa.Table:
        content = content_of(file, digest)
        if self.kind == "parquet":
            return read_parquet(content, file, rules)
        if self.kind == "jsonl":
            return table_of_lines(read_json_lines(content, file, rules), rules, str(file))
        assert self.subset is not None
        return table_of_lines(read_original(content, file, self.subset), rules, str(file))


def find_files(root: str, name: str, subset: str | None, split: str) -> MirrorFiles:
    """Look for a split below a mirror's root.

    Args:
        root: `data.root`, a folder's path; no character in it is a pattern, but "~" at its beginning is the home.
        name: the data set's folder below it, as on the hub: "nyu-mll/glue/cola".
        subset: the last part of it, where there is one.
        split: "train", "validation", …; see `bench.data.shards` for the names of its files.

    Raises:
        UserError: there is no such folder, no file of that split, not all of them, or more than one set of them.
    """
    folder = _root(root)
    try:
        # Repositories with one subset keep their files in a folder "data".
        places = [place for place in (folder / name, folder / name / "data") if place.is_dir()]
        found = [shards for place in places if (shards := shards_in(place, split))]
    except OSError as error:
        raise UserError(f"cannot look into {error.filename}: {error.strerror}") from error
    found += [[file] for file in original_files(folder, name, subset, split)]
    if not found:
        raise UserError(
            f"{folder / name}: the split {split} is missing, {split}-*.parquet or {split}.jsonl{_there(places)}"
        )
    if len(found) > 1:
        raise UserError(f"{found[0][0]} and {found[1][0]} both claim to be the split {split}; keep one")
    files = tuple(found[0])
    return MirrorFiles(folder, subset, split, files, tuple(digest_of(file) for file in files))


def _root(root: str) -> Path:
    if not root:
        raise UserError("data.root= is empty; it names a folder, or null: the hub")
    try:
        folder = Path(root).expanduser()
        if folder.is_dir():
            return folder
    except (OSError, RuntimeError) as error:  # RuntimeError: "~name" of nobody
        raise UserError(f"data.root={root}: {error.strerror if isinstance(error, OSError) else error}") from error
    raise UserError(f"data.root={root}: no such folder")


def _there(places: list[Path]) -> str:
    """What lies there instead, for whoever has named or packed it otherwise."""
    names = sorted(file.name for place in places for file in place.iterdir() if not file.name.startswith("."))
    return f"; there are {', '.join(names[:SHOWN])}{', …' if len(names) > SHOWN else ''}" if names else ""
