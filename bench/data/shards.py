"""Which files of a folder hold a split, by their names, and whether all of them are there.

The hub's names: `train-00000-of-00002.parquet`, in older repositories with a hash of the shard behind it
(`train-00000-of-00001-8aa8c3d9a39e7cc0.parquet`). One file may also be called `train.parquet`, and several may be
numbered without their total, `train-0.parquet`. The same in `.jsonl`.
"""

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.errors import UserError

SUFFIXES = (".parquet", ".jsonl")
NUMBERED = re.compile(r"-([0-9]{1,9})(?:-of-([0-9]{1,9})(?:-[0-9a-f]{8,64})?)?")
SHOWN = 3  # of a list of files, in messages


@dataclass(frozen=True)
class Shard:
    """One file of a split. Attributes: file; index and total, as far as its name tells them."""

    file: Path
    index: int | None
    total: int | None


def shards_in(folder: Path, split: str) -> list[Path]:
    """The files of `split` in `folder`, in order; none where there are none.

    Raises:
        UserError: a file that is named like the split but is no shard of it (a copy), one that is there twice (of
            another revision, or in both formats), or one that is missing.
    """
    # A split's name is made of letters, digits, "_" and "."; whatever else follows it belongs to this split's files.
    ours = re.compile(rf"{re.escape(split)}(?![\w.])")
    files = [file for file in sorted(folder.iterdir()) if file.suffix in SUFFIXES and ours.match(file.stem)]
    shards = {file: _shard(file, split) for file in files}
    strangers = [file for file, shard in shards.items() if shard is None]
    if strangers:
        raise UserError(
            f"{_listed(strangers)}: no shard of the split {split}, whose files are called {split}.parquet or "
            f"{split}-00000-of-00001.parquet (or the same in .jsonl); move it elsewhere"
        )
    found = [shard for shard in shards.values() if shard is not None]
    _check_one_of_each(found, split)
    _check_complete(found, split)
    return [shard.file for shard in sorted(found, key=lambda shard: shard.index or 0)]


def _shard(file: Path, split: str) -> Shard | None:
    if file.stem == split:
        return Shard(file, None, None)
    parts = NUMBERED.fullmatch(file.stem[len(split) :])
    if parts is None:
        return None
    return Shard(file, int(parts[1]), None if parts[2] is None else int(parts[2]))


def _check_one_of_each(shards: Sequence[Shard], split: str) -> None:
    """Refuse files of which one only can be meant."""
    for first, second in itertools.pairwise(shards):
        if (first.file.suffix, first.total) != (second.file.suffix, second.total):
            raise UserError(f"{_both(first, second)} both claim to be the split {split}; keep one")
    by_index: dict[int | None, Shard] = {}
    for shard in shards:
        other = by_index.setdefault(shard.index, shard)
        if other is not shard:
            raise UserError(
                f"{_both(other, shard)} are the same shard of the split {split}, of two revisions; keep one"
            )
    if None in by_index and len(shards) > 1:
        raise UserError(f"{_both(shards[0], shards[1])} both claim to be the split {split}; keep one")


def _check_complete(shards: Sequence[Shard], split: str) -> None:
    """Refuse a split of which the names of the files that are there promise others."""
    there = {shard.index for shard in shards if shard.index is not None}
    if not there:
        return
    example, total = shards[0].file, shards[0].total
    begin = 0 if total is not None or 0 in there else 1
    end = total if total is not None else max(there) + 1
    beyond = [shard.file for shard in shards if shard.index is not None and shard.index >= end]
    if beyond:
        raise UserError(f"{beyond[0]}: there is no shard of that number; they are counted from 0")
    count = end - begin - len(there)
    if count:
        numbers = itertools.islice((index for index in range(begin, end) if index not in there), SHOWN)
        names = ", ".join(_name(example, split, index) for index in numbers)
        raise UserError(
            f"{example.parent}: {count} of the {end - begin} files of the split {split} "
            f"{'is' if count == 1 else 'are'} missing: {names}{', …' if count > SHOWN else ''}"
        )


def _name(example: Path, split: str, index: int) -> str:
    """What the shard `index` is called where another one is called `example`; its own hash is not known."""
    parts = NUMBERED.fullmatch(example.stem[len(split) :])
    assert parts is not None
    total = "" if parts[2] is None else f"-of-{parts[2]}"
    return f"{split}-{index:0{len(parts[1])}d}{total}{example.suffix}"


def _both(first: Shard, second: Shard) -> str:
    return f"{first.file} and {second.file.name}"


def _listed(files: Sequence[Path]) -> str:
    names = [str(files[0]), *(file.name for file in files[1:SHOWN])]
    return ", ".join(names) + (f" and {len(files) - SHOWN} more" if len(files) > SHOWN else "")
