"""Rules for columns of data that a task's YAML declares: text that says something, named labels, numbers, plain values.

Files of delimited text hold nothing but text, so that a label 1 and a label "1" are the same here, and a number may be
written out.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from bench.data.schema import AsTheyAre, Column, Text, fields_hold, shown, unlabelled

LISTED = 8  # of a set of labels, in messages


def plain_text(value: Any) -> str:
    """A scalar as YAML, JSON and delimited text would all write it: `true`, `1`, `1.5`, `yes`."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


@dataclass(frozen=True)
class Filled(Text):
    """Text in every row, and more than blanks."""

    def fault(self, value: Any) -> str | None:
        """As `Text`, or nothing but blanks."""
        wrong = super().fault(value)
        if wrong is None and not value.strip():
            return "is empty; task.data.may_be_empty=[…] lets it be"
        return wrong

    def holds(self, values: pa.ChunkedArray) -> bool:
        """Sound text, none of it blank."""
        return super().holds(values) and not _has_blank(values)


@dataclass(frozen=True)
class Fields(AsTheyAre):
    """A struct, with a rule for each of its fields that are read."""

    rules: Mapping[str, Column]

    @property
    def kind(self) -> pa.DataType:
        """These fields alone."""
        return pa.struct([(name, rule.kind) for name, rule in self.rules.items()])

    def fault(self, value: Any) -> str | None:
        """No struct, or the fault of a field."""
        if not isinstance(value, Mapping):
            return f"is {shown(value)} instead of fields with names" if value is not None else "is missing"
        for name, rule in self.rules.items():
            if name not in value:
                return f"has no field {name}"
            if wrong := rule.fault(value[name]):
                return f"in its field {name} {wrong}"
        return None

    def holds(self, values: pa.ChunkedArray) -> bool:
        """A struct with sound fields."""
        return fields_hold(values, self.rules)

    def emptiness(self, values: pa.ChunkedArray) -> str | None:
        """Of a field."""
        for name, rule in self.rules.items():
            if wrong := rule.emptiness(pc.struct_field(values, name)):
                return f"in its field {name} {wrong}"
        return None

    def converted(self, values: list[Any]) -> list[Any]:
        """Field by field."""
        columns = {name: rule.converted([value[name] for value in values]) for name, rule in self.rules.items()}
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


@dataclass(frozen=True)
class Named(AsTheyAre):
    """A label, by its name; kept as its index in `names`.

    Attributes:
        names: of the labels, as the column has them.
        called: what each is called, where the column has something else (numbers).
        declared: whether the file itself numbers the labels by these names, so that a number is an index.
    """

    names: tuple[str, ...]
    called: tuple[str, ...] = ()
    declared: bool = False
    _index: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_index", {name: index for index, name in enumerate(self.names)})

    @property
    def kind(self) -> pa.DataType:
        """An integer."""
        return pa.int64()

    def fault(self, value: Any) -> str | None:
        """Anything but a name (or an index, where the file has numbered them)."""
        if value is not None and self._find(value) is not None:
            return None
        meant = dict(zip(self.names, self.called, strict=False))
        known = [f"{name} ({meant[name]})" if meant.get(name, name) != name else name for name in self.names[:LISTED]]
        listed = ", ".join(known) + (", …" if len(self.names) > LISTED else "")
        if value is None or value == "":
            return f"is missing; it has to be one of {listed}"
        return f"is {shown(value)}, which is none of {listed}{unlabelled(value)}"

    def holds(self, values: pa.ChunkedArray) -> bool:
        """Numbers that are indices already; all else is looked at one by one and turned into these."""
        are_indices = self.declared or self.names == tuple(map(str, range(len(self.names))))
        if not are_indices or not pa.types.is_integer(values.type) or values.null_count:
            return False
        ends = pc.min_max(values).as_py()
        return ends["min"] is None or (ends["min"] >= 0 and ends["max"] < len(self.names))

    def emptiness(self, values: pa.ChunkedArray) -> str | None:
        """Labels always say something."""
        return None

    def converted(self, values: list[Any]) -> list[Any]:
        """Their indices."""
        return [self._find(value) for value in values]

    def _find(self, value: Any) -> int | None:
        if self.declared:
            is_index = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(self.names)
            return value if is_index else None
        return self._index.get(plain_text(value))


@dataclass(frozen=True)
class Number(AsTheyAre):
    """A finite number between `low` and `high` (None: no bound); text that says one will do."""

    low: float | None = None
    high: float | None = None

    @property
    def kind(self) -> pa.DataType:
        """In double precision."""
        return pa.float64()

    def fault(self, value: Any) -> str | None:
        """No number, or one outside of the range."""
        number = _number(value)
        if number is None:
            return "is missing; it has to be a number" if value in (None, "") else f"is {shown(value)}, no number"
        low, high = (math.inf if bound is None else bound for bound in (self.low, self.high))
        if (self.low is not None and number < low) or (self.high is not None and number > high):
            bounds = " … ".join("" if bound is None else f"{bound:g}" for bound in (self.low, self.high))
            return f"is {number:g}, outside of the range {bounds.strip()}{unlabelled(number)}"
        return None

    def holds(self, values: pa.ChunkedArray) -> bool:
        """They are looked at one by one."""
        return False

    def emptiness(self, values: pa.ChunkedArray) -> str | None:
        """Numbers always say something."""
        return None

    def converted(self, values: list[Any]) -> list[Any]:
        """As numbers."""
        return [_number(value) for value in values]


@dataclass(frozen=True)
class Plain(AsTheyAre):
    """Any scalar, kept as text: what rows are picked by."""

    @property
    def kind(self) -> pa.DataType:
        """Text; null where there is nothing."""
        return pa.string()

    def fault(self, value: Any) -> str | None:
        """A list or a mapping."""
        return f"is {shown(value)}, no plain value" if isinstance(value, list | dict) else None

    def holds(self, values: pa.ChunkedArray) -> bool:
        """Text needs no look."""
        return bool(pa.types.is_string(values.type))

    def emptiness(self, values: pa.ChunkedArray) -> str | None:
        """Whatever is there says something."""
        return None

    def converted(self, values: list[Any]) -> list[Any]:
        """As text."""
        return [None if value is None else plain_text(value) for value in values]


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _has_blank(values: pa.ChunkedArray) -> bool:
    return bool(pc.any(pc.equal(pc.utf8_trim_whitespace(values), "")).as_py())
