"""Where a task's rows come from: a local mirror in the hub's layout, the miniature's mirror, or the hub itself.

Finding a split and reading it are two steps: what was found has a fingerprint, and whoever has kept the tokens made
from it (see `token_cache`) need not read it again.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from bench.configuration.names import check_name
from bench.configuration.schema import DataConfig
from bench.data.columns import Rules, check_label_names, check_names, numbered, table_of_arrow
from bench.data.mirror_files import MirrorFiles, find_files
from bench.data.published import Published
from bench.errors import UserError
from bench.identity.data import read_files, read_generated, read_revision
from bench.system.cache import cache_folder
from bench.system.hub import offline_if_unreachable

if TYPE_CHECKING:
    from datasets import Dataset


@dataclass(frozen=True)
class Located:
    """One split, found but not yet read.

    Attributes:
        fingerprint: changes with the content, and with nothing else; on the hub it stands for the repository's commit.
        key: what decides the rows: the fingerprint, and what was asked of the content. Names what is made of them.
        rows: reads, checks and returns the columns that the task needs.
    """

    fingerprint: str
    key: str
    rows: Callable[[], pa.Table]


def locate(published: Published, split: str, data: DataConfig, miniature: bool = False) -> Located:
    """Find one split of a data set, wherever the configuration says.

    Args:
        published: which data set.
        split: "train", "validation", …
        data: `data.root` names a mirror; `data.any_size` lets a split have other than the published number of rows.
        miniature: take the package's artificial data instead.

    Returns:
        The split; reading it raises UserError where a column, a value or the number of rows is not as published.

    Raises:
        UserError: the data cannot be had, or a name of theirs would lead out of the mirror.
    """
    check_name("data set", published.name)
    for kind, name in (("data set's subset", published.subset), ("split", split)):
        if name is not None and "/" in check_name(kind, name):
            raise UserError(f"{kind}={name}: one folder's or file's name, without slashes")
    expected = None if miniature or data.any_size else published.rows.get(split)
    if miniature:
        root = _miniature()
    elif data.root is not None:
        root = data.root
    else:
        return _on_the_hub(published, split, expected)
    found = find_files(root, published.name, published.subset, split)
    (read_generated if miniature else read_files)(published.name, split, found.root, found.files)
    fingerprint = found.fingerprint()
    return Located(fingerprint, _key(fingerprint, published, expected), lambda: _read(found, published, expected))


def _miniature() -> str:
    from bench.miniature.mirror import ensure_mirror

    try:
        return str(ensure_mirror())
    except OSError as error:
        raise UserError(
            f"cannot keep the miniature's data in {cache_folder()}: {error}; BENCH_CACHE=FOLDER names another"
        ) from error


def _key(fingerprint: str, published: Published, expected: int | None) -> str:
    """Tokens that were kept of a split must not save another reader from its checks."""
    return f"{fingerprint} {dict(published.columns)} {expected}"


def _read(found: MirrorFiles, published: Published, expected: int | None) -> pa.Table:
    return checked(found.read(published.columns), published.columns, found.what, expected)


def _on_the_hub(published: Published, split: str, expected: int | None) -> Located:
    what = f"{published.name}, split {split}"
    if Path(published.repository).exists():  # datasets would read that in silence
        raise UserError(
            f"the folder {Path(published.repository).absolute()} would be taken for the hub's {published.repository}; "
            f"give data.root=. to read it, or start elsewhere"
        )
    rows = _load(what, published.repository, name=published.subset, split=split)

    def read() -> pa.Table:
        check_names(rows.column_names, published.columns, what)
        declared = {name: feature.names for name, feature in rows.features.items() if hasattr(feature, "names")}
        check_label_names(declared, published.columns, what)
        table = rows.select_columns(list(published.columns)).with_format("arrow")[:]
        rules = numbered(published.columns, declared, what)
        table = table_of_arrow(table, rules, lambda row: f"{what}, row {row + 1}")
        return checked(table, published.columns, what, expected)

    fingerprint = str(rows._fingerprint)
    read_revision(published.name, split, fingerprint)
    return Located(fingerprint, _key(fingerprint, published, expected), read)


def _load(what: str, repository: str, **options: Any) -> "Dataset":
    import datasets  # takes a second, which data of one's own do without

    datasets.disable_progress_bars()
    offline = offline_if_unreachable()
    try:
        rows = datasets.load_dataset(repository, **options)
    except (OSError, ValueError, datasets.exceptions.DatasetGenerationError) as error:
        # datasets raises ConnectionError (an OSError) without a network, ValueError for an unknown subset or split.
        if offline:
            raise UserError(
                f"the data {what} are not on this machine, and the hub cannot be reached; run `bench fetch` with the "
                f"same settings where there is a network, or give data.root=FOLDER"
            ) from error
        cause = error.__cause__ if isinstance(error, datasets.exceptions.DatasetGenerationError) else None
        first = (str(cause or error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
        raise UserError(f"cannot load {what}: {first}") from error
    return rows


def checked(table: pa.Table, rules: Rules, what: str, expected: int | None) -> pa.Table:
    """The rows, if there are as many as there must be and they say something.

    Args:
        table: the columns, each value as its rule says.
        rules: for each column.
        what: the split, for messages.
        expected: how many rows there must be; None: any number but zero.

    Raises:
        UserError: other rows, none, or a column that is empty in all of them.
    """
    if not len(table):
        raise UserError(f"{what}: there are no rows")
    if expected is not None and len(table) != expected:
        raise UserError(
            f"{what}: {len(table)} rows instead of the published {expected}; data.any_size=true takes them as they are"
        )
    for name, rule in rules.items():
        if (emptiness := rule.emptiness(table.column(name))) is not None:
            raise UserError(f"{what}: {name} {emptiness}; there is nothing to learn or to score")
    return table
