"""Where a declared task's rows come from: files of the user's own, or a repository of the hub (or its mirror)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from bench.configuration.schema import DataConfig
from bench.data.columns import Rules
from bench.data.declared_rules import Fields, Plain, plain_text
from bench.data.list_rules import Joined
from bench.data.own_files import find_own, splits_of
from bench.data.published import Published
from bench.data.schema import Text
from bench.data.selection import share_of, text_keys
from bench.data.source import Located, checked, locate
from bench.errors import UserError, unknown_name
from bench.identity.data import read_own

ROLES = ("train", "validation", "test")
LISTED = 5  # of what a column holds, in messages


@dataclass(frozen=True, kw_only=True)
class DataSource:
    """`task.data` of a declared task.

    Attributes:
        files: a file, or a folder with `train.csv`, `validation.csv`, …; or the file or files of each split.
        hub: the repository instead.
        subset: its configuration there.
        splits: which of the repository's splits are trained on, scored along training, and scored at the end.
        rows: how many rows each of the repository's splits has, as published.
        rename: the columns' names in the files, where others are wanted: `{"#1 String": first}`.
        fields: columns that hold something for each of several names, and which of these become columns:
            `{translation: [en, ro]}`, `{answers: [text]}`.
        joined: columns that hold lists of texts, and what stands between these where they are made one text.
        where: keep the rows whose column has this value, or one of these.
        holdout: the share of the training rows that is kept for validation, where there is no split for it; rows with
            the same text stay together.
        holdout_seed: decides which.
        delimiter, quotes: of delimited text: `,` and true for CSV, a tab and false for TSV, unless said otherwise.
        may_be_empty: columns whose text may be empty in some rows.
    """

    files: str | Mapping[str, str | Sequence[str]] | None = None
    hub: str | None = None
    subset: str | None = None
    splits: Mapping[str, str | Sequence[str]] = field(default_factory=lambda: {"train": "train"})
    rows: Mapping[str, int] = field(default_factory=dict)
    rename: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, Sequence[str]] = field(default_factory=dict)
    joined: Mapping[str, str] = field(default_factory=dict)
    where: Mapping[str, Any] = field(default_factory=dict)
    holdout: float | None = None
    holdout_seed: int = 0
    delimiter: str | None = None
    quotes: bool | None = None
    may_be_empty: Sequence[str] = ()

    def __post_init__(self) -> None:
        """Refuse what does not go together, before anything is looked for."""
        if (self.files is None) == (self.hub is None):
            raise UserError("task.data names either files or hub")
        for key, given in (("files", self.files), ("splits", self.splits)):
            for role in given if isinstance(given, Mapping) else ():
                if role not in ROLES:
                    raise unknown_name(f"split in task.data.{key}", role, ROLES)
        if len(_names(self.splits.get("train", "train"))) != 1:
            raise UserError(f"task.data.splits.train={self.splits['train']}: one split is trained on")
        if self.holdout is not None and not 0 < self.holdout < 1:
            raise UserError(f"task.data.holdout={self.holdout} must be a share between 0 and 1")
        if self.delimiter is not None and len(self.delimiter) != 1:
            raise UserError(f"task.data.delimiter={self.delimiter!r} must be one character")
        for column, wanted in self.where.items():
            if not _listed(wanted) or any(isinstance(value, list | dict) for value in _listed(wanted)):
                raise UserError(f"task.data.where.{column}={wanted} must be a value or a list of values")
        if twice := [name for name in self.rename.values() if list(self.rename.values()).count(name) > 1]:
            raise UserError(f"task.data.rename gives two columns the name {twice[0]}")

    @property
    def train_split(self) -> str:
        """What is trained on, as the repository calls it."""
        return "train" if self.hub is None else _names(self.splits.get("train", "train"))[0]

    def published(self, rules: Rules) -> Published:
        """The repository, with the rules of its own columns."""
        assert self.hub is not None
        return Published(self.hub, self.subset, self._in_files(rules), self.rows)

    def roles(self, root: str | None, *, trains: bool = True, validates: bool = True) -> dict[str, list[str]]:
        """For each of `ROLES`, the names of its splits, a held-out one included.

        Args:
            root: `data.root`.
            trains: whether there must be something to train on; where not, it is not named.
            validates: whether there must be something to validate on.

        Raises:
            UserError: nothing to train or to validate on, or two things to validate on.
        """
        found = self.declared_splits(root)
        if "train" not in found and (trains or self.holdout is not None):
            raise UserError(f"task.data.{'files' if self.hub is None else 'splits'} names no split train")
        if self.holdout is not None and "validation" in found:
            raise UserError("task.data.holdout: there is a split for validation; leave one of them out")
        if self.holdout is None and "validation" not in found and validates:
            raise UserError("task.data has nothing to validate on; say task.data.holdout=0.1, or name a split for it")
        if self.holdout is not None:
            found["validation"] = ["validation"]
        return {role: found[role] for role in ROLES if role in found and (trains or role != "train")}

    def declared_splits(self, root: str | None) -> dict[str, list[str]]:
        """For each of `ROLES` that there are files or splits for, their names; of `data.root` and below."""
        if self.hub is not None:
            return {role: _names(self.splits[role]) for role in ROLES if self.splits.get(role)}
        assert self.files is not None
        return {role: [role] for role in splits_of(self.files, ROLES, root)}

    def locate(
        self, split: str, rules: Rules, texts: Sequence[str], data: DataConfig, miniature: bool = False
    ) -> Located:
        """Find one split.

        Args:
            split: as `roles` names it; with `holdout`, "train" and "validation" are parts of one.
            rules: the columns that the task needs.
            texts: of these, the texts; rows with the same ones are not parted.
            data: where mirrors and files are.
            miniature: take the package's artificial data instead of the repository's.

        Returns:
            The split; reading it raises UserError where a column or a value is not as its rule says.

        Raises:
            UserError: there is no such file, or data set.
        """
        is_part = self.holdout is not None and split in (self.train_split, "validation")
        source = self._source(self.train_split if is_part else split, rules, data, miniature)
        part = [self.holdout, self.holdout_seed, list(texts), split] if is_part else None
        asked = sorted((column, sorted(map(plain_text, _listed(wanted)))) for column, wanted in self.where.items())
        names = [sorted(self.rename.items()), sorted(self.fields.items()), asked, part, list(self.may_be_empty)]

        def read() -> pa.Table:
            table = self._unfolded(self._filtered(source.rows(), split))
            table = table.rename_columns([self.rename.get(name, name) for name in table.column_names])
            if is_part:
                table = table.filter(self._held_out(table, texts, split))
            return table.select(list(rules))

        return Located(source.fingerprint, f"{source.key} {names}", read)

    def _source(self, split: str, rules: Rules, data: DataConfig, miniature: bool) -> Located:
        asked: Rules = {**self._in_files(rules), **{name: Plain() for name in self.where if name not in rules}}
        if self.hub is not None:
            return locate(Published(self.hub, self.subset, asked, self.rows), split, data, miniature)
        files = self.files if not isinstance(self.files, Mapping) else self.files[split]
        assert files is not None
        found = find_own(_names(files), split, data.root, self.delimiter, self.quotes)
        read_own(f"own/{found.names[0]}/{split}", found.folder, found.names)
        what = str(found.folder / found.names[0])
        key = f"{found.fingerprint()} {found.delimiter} {found.quotes} {dict(asked)}"
        return Located(found.fingerprint(), key, lambda: checked(found.read(asked), asked, what, None))

    def _in_files(self, rules: Rules) -> Rules:
        """The rules under the names that the files have."""
        texts = {name: rule for name, rule in rules.items() if isinstance(rule, Text)}
        for name in self.joined:
            if name not in texts:
                raise unknown_name("text in task.data.joined", name, list(texts))
        rules = {**rules, **{name: Joined(texts[name], between) for name, between in self.joined.items()}}
        back = {new: old for old, new in self.rename.items()}
        own = {back.get(name, name): rule for name, rule in rules.items()}
        folded = {
            column: Fields({name: own.pop(name, Text()) for name in names}) for column, names in self.fields.items()
        }
        return {**folded, **own}

    def _unfolded(self, table: pa.Table) -> pa.Table:
        """With a column of its own for each of the `fields`."""
        for column, names in self.fields.items():
            for name in names:
                table = table.append_column(name, pc.struct_field(table.column(column), name))
        return table

    def _filtered(self, table: pa.Table, split: str) -> pa.Table:
        for column, wanted in self.where.items():
            values = table.column(column)
            values = values if pa.types.is_string(values.type) else pa.array(Plain().converted(values.to_pylist()))
            kept = table.filter(pc.is_in(values, pa.array([plain_text(value) for value in _listed(wanted)])))
            if not len(kept):
                there = ", ".join(str(value) for value in pc.unique(values).to_pylist()[:LISTED])
                raise UserError(f"task.data.where.{column}={wanted}: no row of {split} has it; there are {there}")
            table = kept
        return table

    def _held_out(self, table: pa.Table, texts: Sequence[str], split: str) -> pa.Array:
        """Which rows belong to "train" or "validation": texts are put in the order of a hash; the seed decides it."""
        keys = text_keys(table, texts, self.holdout_seed)
        different, chosen = len(set(keys)), share_of(keys, self.holdout or 0)
        if not 0 < len(chosen) < different:
            raise UserError(
                f"task.data.holdout={self.holdout} of {different} different texts leaves nothing to "
                f"{'train' if chosen else 'validate'} on"
            )
        return pa.array([(key in chosen) == (split == "validation") for key in keys])


def _names(given: str | Sequence[str]) -> list[str]:
    return [given] if isinstance(given, str) else list(given)


def _listed(wanted: Any) -> list[Any]:
    return list(wanted) if isinstance(wanted, list | tuple) else [wanted]


def all_splits(roles: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """The names of all splits."""
    return (name for names in roles.values() for name in names)
