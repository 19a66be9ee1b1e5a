"""Writes the miniature's data sets in the layout of the hub's repositories, once per machine."""

import hashlib
import os
import pathlib
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from bench.miniature.lexicon import DEFAULT_SEED
from bench.system.cache import cache_folder

if TYPE_CHECKING:
    import datasets

    Table = tuple[str, Sequence[dict[str, object]], datasets.Features]

SEAL = "sha256"  # of the files beside it


def generator_fingerprint(seed: int = DEFAULT_SEED) -> str:
    """Returns a short hash of the seed and of the generator's source code."""
    digest = hashlib.sha256(str(seed).encode())
    for source in sorted(pathlib.Path(__file__).parent.glob("*.py")):
        digest.update(source.name.encode() + b"\0" + source.read_bytes())
    return digest.hexdigest()[:12]


def tables(seed: int) -> Iterator["Table"]:
    """Yields every file's path below the mirror, its rows and its columns."""
    from bench.miniature import schema
    from bench.miniature.exam import exam_rows
    from bench.miniature.glue import glue_rows
    from bench.miniature.instructions import instruction_rows
    from bench.miniature.translation import translation_rows

    suffix = "-00000-of-00001.parquet"
    for task in schema.GLUE_TEXTS:
        features = schema.glue_features(task)
        for split, rows in glue_rows(seed, task).items():
            yield f"nyu-mll/glue/{task}/{split}{suffix}", rows, features
    for split, rows in translation_rows(seed).items():
        yield f"wmt/wmt16/ro-en/{split}{suffix}", rows, schema.translation_features()
    for split, rows in exam_rows(seed).items():
        yield f"cais/mmlu/all/{split}{suffix}", rows, schema.exam_features()
    yield f"tatsu-lab/alpaca/data/train{suffix}", instruction_rows(seed), schema.instruction_features()


def write_mirror(folder: pathlib.Path, seed: int = DEFAULT_SEED) -> None:
    """Writes all parquet files below ``folder``; the same seed gives the same bytes."""
    import pyarrow
    import pyarrow.parquet

    for name, rows, features in tables(seed):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        # The features' schema carries the "huggingface" metadata from which ``datasets`` restores ClassLabel.
        table = pyarrow.Table.from_pylist(list(rows), schema=features.arrow_schema)
        pyarrow.parquet.write_table(table, path)


def mirror_folder(seed: int = DEFAULT_SEED) -> pathlib.Path:
    """Returns where the data sets lie, or will lie once they are generated."""
    return cache_folder() / f"miniature-{generator_fingerprint(seed)}"


def ensure_mirror(seed: int = DEFAULT_SEED) -> pathlib.Path:
    """Returns the folder with all of the miniature's data sets, and generates it if it is not there yet, or not whole.

    Safe for concurrent processes: each writes a folder of its own and renames it; whoever comes later uses the first.

    Raises:
        OSError: the cache cannot be written.
    """
    final = mirror_folder(seed)
    if _is_whole(final):
        return final
    final.parent.mkdir(parents=True, exist_ok=True)
    scratch = pathlib.Path(tempfile.mkdtemp(prefix=f"{final.name}.", dir=final.parent))
    try:
        write_mirror(scratch / "new", seed)
        (scratch / "new" / SEAL).write_text(_digest(scratch / "new"))
        if os.path.lexists(final) and not _is_whole(final):
            final.rename(scratch / "damaged")
        (scratch / "new").rename(final)
    except OSError:
        # Renaming onto a folder that another process has just finished fails; theirs is as good as ours.
        if not _is_whole(final):
            raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return final


def _is_whole(folder: pathlib.Path) -> bool:
    """Whether a mirror still holds what was generated: a cache outlives disks that fill up and hands that slip."""
    try:
        return (folder / SEAL).read_text() == _digest(folder)
    except (OSError, UnicodeDecodeError):
        return False


def _digest(folder: pathlib.Path) -> str:
    """Of all files' names and bytes: 1.6 MB, which take 6 ms."""
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*.parquet")):
        digest.update(file.relative_to(folder).as_posix().encode() + b"\0" + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()
