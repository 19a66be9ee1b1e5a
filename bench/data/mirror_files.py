"""The files of a local mirror: parquet or JSON lines in the hub's layout, or GLUE's original TSV files."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet

from bench.data.glue_tsv import original_file, read_original
from bench.errors import UserError
from bench.identity.digests import whole


@dataclass(frozen=True)
class MirrorFiles:
    """The files that hold one split, in order."""

    subset: str | None
    split: str
    files: tuple[Path, ...]

    @property
    def kind(self) -> str:
        """The suffix: "parquet", "jsonl" or "tsv"."""
        return self.files[0].suffix[1:]

    def fingerprint(self) -> str:
        """SHA-256 of the files' bytes, 16 hexadecimal digits."""
        digest = hashlib.sha256(self.kind.encode())
        for file in self.files:
            digest.update(bytes.fromhex(whole(file)))
        return digest.hexdigest()[:16]

    def place(self, row: int) -> str:
        """File and row (from 1) of the split's row `row` (from 0), for messages."""
        for file in self.files:
            count = self._rows_of(file) if len(self.files) > 1 else row + 1
            if row < count:
                return f"{file}, row {row + 1}"
            row -= count
        return f"{self.files[-1]}, row {row + 1}"

    def check_not_empty(self) -> None:
        """Refuse a split without rows, which datasets cannot read.

        Raises:
            UserError: there are none, or a file is no parquet file.
        """
        if not any(self._rows_of(file) for file in self.files):
            raise UserError(f"{self.files[0]}: there are no rows")

    def lines(self) -> Iterator[dict[str, Any]]:
        """The rows of JSON lines or TSV files.

        Raises:
            UserError: a line that is not UTF-8, not JSON, or lacks fields.
        """
        for file in self.files:
            if self.kind == "tsv":
                assert self.subset is not None
                yield from read_original(file, self.subset, self.split)
            else:
                yield from _json_lines(file)

    def _rows_of(self, file: Path) -> int:
        if self.kind == "parquet":
            try:
                return int(pa.parquet.read_metadata(file).num_rows)
            except pa.ArrowInvalid as error:
                raise UserError(f"{file}: not a parquet file: {str(error).splitlines()[0]}") from error
        return sum(1 for line in file.open("rb") if line.strip())


def find_files(root: Path, name: str, subset: str | None, split: str) -> MirrorFiles:
    """Look for a split below a mirror's root.

    Args:
        root: `data.root`.
        name: the data set's folder below it, as on the hub: "nyu-mll/glue/cola".
        subset: the last part of it, where there is one.
        split: "train", "validation", …; files are called `SPLIT-….parquet`, `SPLIT.parquet` or the same in `.jsonl`.

    Raises:
        UserError: there is no such folder, or no file of that split.
    """
    if not root.is_dir():
        raise UserError(f"data.root={root}: no such folder")
    # Repositories with one subset keep their files in a folder "data".
    for folder in (root / name, root / name / "data"):
        for suffix in ("parquet", "jsonl"):
            files = sorted([*folder.glob(f"{split}-*.{suffix}"), *folder.glob(f"{split}.{suffix}")])
            if files:
                return MirrorFiles(subset, split, tuple(files))
    original = original_file(root, name, subset, split)
    if original is not None:
        return MirrorFiles(subset, split, (original,))
    raise UserError(f"{root / name}: the split {split} is missing, {split}-*.parquet or {split}.jsonl")


def _json_lines(file: Path) -> Iterator[dict[str, Any]]:
    with file.open("rb") as stream:
        for number, line in enumerate(stream, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line.decode())
            except UnicodeDecodeError as error:
                raise UserError(f"{file}, row {number}: not UTF-8: {error.reason} at byte {error.start}") from error
            except json.JSONDecodeError as error:
                raise UserError(f"{file}, row {number}: not JSON: {error}") from error
            if not isinstance(row, dict):
                raise UserError(f"{file}, row {number}: not an object with columns")
            yield row
