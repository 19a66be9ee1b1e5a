"""A data set's columns out of a file's: whether they are there, and whether each of their values is what it must be."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from bench.data.declared_rules import Named
from bench.data.schema import Column, Label
from bench.errors import UserError

Rules = Mapping[str, Column]
Place = Callable[[int], str]  # file and row of a row's index, for messages
SHOWN = 12  # of a file's columns, in messages


@dataclass(frozen=True)
class Lines:
    """What was read of a text file.

    Attributes:
        header: the columns that the file has.
        numbers: the line of each row, from 1.
        columns: the values of each column that was asked for and is there; None where a row has none.
    """

    header: Sequence[str]
    numbers: Sequence[int]
    columns: Mapping[str, list[Any]]


def table_of_lines(lines: Lines, rules: Rules, file: str) -> pa.Table:
    """The columns that `rules` asks for, of a text file.

    Raises:
        UserError: one is missing, or a value is not as its rule says.
    """
    if not lines.numbers:
        return pa.table({name: pa.array([], rule.kind) for name, rule in rules.items()})
    check_names(lines.header, rules, file)
    arrays = {}
    for name, rule in rules.items():
        _check_each(lines.columns[name], rule, name, lambda row: f"{file}, row {lines.numbers[row]}")
        arrays[name] = pa.array(rule.converted(lines.columns[name]), rule.kind)
    return pa.table(arrays)


def table_of_arrow(table: pa.Table, rules: Rules, place: Place) -> pa.Table:
    """The columns that `rules` asks for, of a table that has them.

    Raises:
        UserError: a value is not as its rule says.
    """
    arrays = {}
    for name, rule in rules.items():
        values = table.column(name)
        if rule.holds(values):
            with suppress(pa.ArrowInvalid, pa.ArrowNotImplementedError):  # a form that Arrow cannot turn by itself
                arrays[name] = values.cast(rule.kind)
                continue
        else:
            _check_each(values, rule, name, place)
        arrays[name] = pa.array(rule.converted(values.to_pylist()), rule.kind)
    return pa.table(arrays)


def check_names(header: Sequence[str], names: Iterable[str], what: str) -> None:
    """Refuse a file without one of the columns `names`, or with two of that name.

    Raises:
        UserError: names the column.
    """
    for name in names:
        if name not in header:
            known = ", ".join(_short(column) for column in header[:SHOWN]) + (", …" if len(header) > SHOWN else "")
            raise UserError(f"{what}: the column {name} is missing; it has {known or 'none'}")
        if header.count(name) > 1:
            raise UserError(f"{what}: the column {name} is there twice")


def check_label_names(found: Mapping[str, Sequence[str]], rules: Rules, what: str) -> None:
    """Refuse labels that mean something else than the published ones.

    Args:
        found: the label set that a file declares for a column, where it does.
        rules: the columns' rules.
        what: the file, for messages.

    Raises:
        UserError: names both label sets.
    """
    for name, rule in rules.items():
        if isinstance(rule, Label) and name in found and tuple(found[name]) != rule.names:
            raise UserError(f"{what}: the labels of {name} are {list(found[name])} instead of {list(rule.names)}")


def numbered(rules: Rules, found: Mapping[str, Sequence[str]], what: str) -> Rules:
    """The rules for a file that declares label sets: where a label's names are those, its numbers are indices of them.

    Args:
        rules: the columns' rules.
        found: the label set that the file declares for a column, where it does.
        what: the file, for messages.

    Raises:
        UserError: the file numbers other labels, or in another order.
    """
    changed = dict(rules)
    for name, rule in rules.items():
        if not isinstance(rule, Named) or name not in found:
            continue
        indices = tuple(map(str, range(len(rule.names))))
        numbers = rule.names == indices  # the column's values
        names = (rule.called if numbers else rule.names) or indices
        if indices not in (names, tuple(found[name])) and tuple(found[name]) != names:
            raise UserError(f"{what}: the labels of {name} are {list(found[name])} instead of {list(names)}")
        changed[name] = rule if numbers else replace(rule, declared=True)
    return changed


def declared_labels(metadata: Mapping[bytes, bytes] | None) -> dict[str, list[str]]:
    """The label sets that `datasets` writes into the metadata of a parquet file, by column."""
    try:
        features = json.loads((metadata or {}).get(b"huggingface", b"{}"))["info"]["features"]
        return {name: list(feature["names"]) for name, feature in features.items() if "names" in feature}
    except (ValueError, KeyError, TypeError, AttributeError):  # somebody else's, or none
        return {}


def _check_each(values: Iterable[Any], rule: Column, name: str, place: Place) -> None:
    for row, value in enumerate(values):
        try:
            fault = rule.fault(value.as_py() if isinstance(value, pa.Scalar) else value)
        except UnicodeDecodeError as error:
            fault = f"is not UTF-8: {error.reason} at byte {error.start}"
        if fault is not None:
            raise UserError(f"{place(row)}: {name} {fault}")


def _short(name: str) -> str:
    shown = name if name.isprintable() else repr(name)
    return shown if len(shown) <= 40 else f"{shown[:40]}…"
