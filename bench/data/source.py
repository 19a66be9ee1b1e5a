"""Where a task's rows come from: a local mirror in the hub's layout, the miniature's mirror, or the hub itself.

Finding a split and reading it are two steps: what was found has a fingerprint, and whoever has kept the tokens made
from it (see `token_cache`) need not read it again.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
from datasets import ClassLabel, Dataset, load_dataset

from bench.configuration.cell import DataConfig
from bench.data.mirror_files import MirrorFiles, find_files
from bench.data.published import Published
from bench.data.schema import Label
from bench.errors import UserError
from bench.identity.data import read_files, read_generated, read_revision
from bench.system.hub import offline_if_unreachable

datasets.disable_progress_bars()


@dataclass(frozen=True)
class Located:
    """One split, found but not yet read.

    Attributes:
        fingerprint: changes with the content; on the hub it stands for the repository's commit.
        rows: reads, checks and returns the columns that the task needs.
    """

    fingerprint: str
    rows: Callable[[], pa.Table]


def locate(published: Published, split: str, data: DataConfig, miniature: bool = False) -> Located:
    """Find one split of a data set, wherever the configuration says.

    Args:
        published: which data set.
        split: "train", "validation", …
        data: `data.root` names a mirror; `data.any_size` lets a split have other than the published number of rows.
        miniature: take the package's artificial data instead.

    Returns:
        The split; reading it raises UserError where a column, a label or the number of rows is not as published.

    Raises:
        UserError: the data cannot be had.
    """
    if miniature:
        from bench.miniature.mirror import ensure_mirror

        root = ensure_mirror()
    elif data.root is not None:
        root = Path(data.root).expanduser()
    else:
        return _on_the_hub(published, split, data)
    found = find_files(root, published.name, published.subset, split)
    (read_generated if miniature else read_files)(published.name, split, root, found.files)
    expected = None if miniature or data.any_size else published.rows.get(split)
    return Located(found.fingerprint(), lambda: _read_mirror(published, found, expected))


def _read_mirror(published: Published, found: MirrorFiles, expected: int | None) -> pa.Table:
    folder = found.files[0].parent
    what = str(found.files[0]) if len(found.files) == 1 else f"{folder}, split {found.split}"
    found.check_not_empty()
    if found.kind == "parquet":
        # Each split's files are named: without, datasets would take "dev" for a part of "validation".
        files = {found.split: [str(file) for file in found.files]}
        rows = _load(what, "parquet", data_files=files, split=found.split)
    else:
        rows = Dataset.from_list(list(found.lines()))
    return _checked(rows, published, what, found.place, expected)


def _on_the_hub(published: Published, split: str, data: DataConfig) -> Located:
    what = f"{published.name}, split {split}"
    offline = offline_if_unreachable()
    try:
        rows = _load(what, published.repository, name=published.subset, split=split)
    except UserError as error:
        if not offline:
            raise
        raise UserError(
            f"the data {what} are not on this machine, and the hub cannot be reached; run `bench fetch` with the same "
            f"settings where there is a network, or give data.root=FOLDER"
        ) from error
    expected = None if data.any_size else published.rows.get(split)
    read_revision(published.name, split, str(rows._fingerprint))
    return Located(
        str(rows._fingerprint),
        lambda: _checked(rows, published, what, lambda row: f"{what}, row {row + 1}", expected),
    )


def _load(what: str, path: str, **options: Any) -> Dataset:
    try:
        rows = load_dataset(path, **options)
    except (OSError, ValueError, datasets.exceptions.DatasetGenerationError) as error:
        # datasets raises ConnectionError (an OSError) without a network, ValueError for an unknown subset or split.
        cause = error.__cause__ if isinstance(error, datasets.exceptions.DatasetGenerationError) else None
        first = str(cause or error).strip().splitlines()[0].rstrip(".")
        raise UserError(f"cannot load {what}: {first}") from error
    assert isinstance(rows, Dataset)
    return rows


def _checked(
    rows: Dataset, published: Published, what: str, place: Callable[[int], str], expected: int | None
) -> pa.Table:
    """The published columns of `rows`, if all is as it should be.

    Args:
        rows: as read.
        published: what they should be.
        what: the split, for messages.
        place: file and row of a row's index, for messages.
        expected: how many rows there must be; None: any number but zero.

    Raises:
        UserError: an empty split, a column that is missing, another label set, a value out of its range.
    """
    if len(rows) == 0:
        raise UserError(f"{what}: there are no rows")
    for name, rule in published.columns.items():
        if name not in rows.column_names:
            raise UserError(f"{what}: the column {name} is missing; it has {', '.join(rows.column_names)}")
        feature = rows.features[name]
        if isinstance(rule, Label) and isinstance(feature, ClassLabel) and tuple(feature.names) != rule.names:
            raise UserError(f"{what}: the labels of {name} are {feature.names} instead of {list(rule.names)}")
    table: pa.Table = rows.select_columns(list(published.columns)).with_format("arrow")[:]
    for name, rule in published.columns.items():
        problem = rule.problem(table.column(name))
        if problem is not None:
            raise UserError(f"{place(problem[0])}: {name} {problem[1]}")
    if expected is not None and len(rows) != expected:
        raise UserError(
            f"{what}: {len(rows)} rows instead of the published {expected}; data.any_size=true takes them as they are"
        )
    return table
