"""What the columns of a data set must hold, said of one value and, quickly, of a whole column.

A fault is told in words that a message can end with, after the column's name.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc

NO_LABEL = -1  # the hub's mark for a row whose label is not public
SHOWN = 40  # characters of a value, in messages


class Column(Protocol):
    """A rule for one column."""

    @property
    def kind(self) -> pa.DataType:
        """What its values are kept as."""

    def fault(self, value: Any) -> str | None:
        """What is wrong with one value; None: nothing."""

    def holds(self, values: pa.ChunkedArray) -> bool:
        """Whether all of them can be seen to be right without looking at each; False: look at each."""

    def emptiness(self, values: pa.ChunkedArray) -> str | None:
        """What makes a column useless although each of its values, of `kind`, is right; None: nothing."""

    def converted(self, values: list[Any]) -> list[Any]:
        """Values without a fault, as `kind` keeps them."""


class AsTheyAre:
    """Of a rule whose values are kept as they are."""

    def converted(self, values: list[Any]) -> list[Any]:
        """The same."""
        return values


@dataclass(frozen=True)
class Text(AsTheyAre):
    """Text in every row; some of them may be empty, all of them only where the column is `optional`."""

    optional: bool = False

    @property
    def kind(self) -> pa.DataType:
        """UTF-8."""
        return pa.string()

    def fault(self, value: Any) -> str | None:
        """No text, or a text that UTF-8 cannot write."""
        if value is None:
            return "is missing"
        if not isinstance(value, str):
            return f"is {shown(value)} instead of text"
        try:
            value.encode()
        except UnicodeEncodeError as error:
            half = value[error.start].encode("unicode_escape").decode()
            return f"has half a character, {half}, as its character {error.start + 1}; that is no text"
        return None

    def holds(self, values: pa.ChunkedArray) -> bool:
        """Text without gaps, all of it UTF-8."""
        if not (pa.types.is_string(values.type) or pa.types.is_large_string(values.type)) or values.null_count:
            return False
        try:
            values.validate(full=True)
        except pa.ArrowInvalid:
            return False
        return True

    def emptiness(self, values: pa.ChunkedArray) -> str | None:
        """No text in any row."""
        if self.optional or pc.any(pc.not_equal(pc.utf8_trim_whitespace(values), "")).as_py():
            return None
        return "is empty in every row"


@dataclass(frozen=True)
class Label(AsTheyAre):
    """A class, by its index in `names`."""

    names: tuple[str, ...]

    @property
    def kind(self) -> pa.DataType:
        """An integer."""
        return pa.int64()

    def fault(self, value: Any) -> str | None:
        """Anything but an index of `names`."""
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(self.names):
            return None
        known = ", ".join(f"{index} ({name})" for index, name in enumerate(self.names))
        if value is None:
            return f"is missing; it has to be one of {known}"
        return f"is {shown(value)}, which is none of {known}{unlabelled(value)}"

    def holds(self, values: pa.ChunkedArray) -> bool:
        """Integers without gaps, in the range."""
        if not pa.types.is_integer(values.type) or values.null_count:
            return False
        ends = pc.min_max(values).as_py()
        return ends["min"] is None or (ends["min"] >= 0 and ends["max"] < len(self.names))

    def emptiness(self, values: pa.ChunkedArray) -> str | None:
        """Labels always say something."""
        return None


def no_list(value: Any) -> str | None:
    """Why a value is no list of texts; None: it is one."""
    if isinstance(value, list):
        return None
    return f"is {shown(value)} instead of a list of texts" if value is not None else "is missing"


def fault_among(texts: Sequence[Any], fault: Callable[[Any], str | None]) -> str | None:
    """The first of several texts that has a fault, and which; None: none has."""
    faults = ((number, fault(text)) for number, text in enumerate(texts, 1))
    return next((f"has a text {number} that {found}" for number, found in faults if found), None)


@dataclass(frozen=True)
class Choices(AsTheyAre):
    """A list of `count` texts."""

    count: int

    @property
    def kind(self) -> pa.DataType:
        """A list."""
        return pa.list_(pa.string())

    def fault(self, value: Any) -> str | None:
        """No list, more or fewer texts, or one that is none."""
        if (fault := no_list(value)) is not None:
            return fault
        if len(value) != self.count:
            return f"has {len(value)} texts instead of {self.count}"
        return fault_among(value, Text().fault)

    def holds(self, values: pa.ChunkedArray) -> bool:
        """Lists of that length, of sound text."""
        if not (pa.types.is_list(values.type) or pa.types.is_large_list(values.type)) or values.null_count:
            return False
        same = pc.all(pc.equal(pc.list_value_length(values), self.count), min_count=0).as_py()
        return bool(same) and Text().holds(pc.list_flatten(values))

    def emptiness(self, values: pa.ChunkedArray) -> str | None:
        """No text in any row."""
        return Text().emptiness(pc.list_flatten(values))


def fields_hold(values: pa.ChunkedArray, rules: Mapping[str, Column]) -> bool:
    """Whether all values can be seen to be structs whose fields are as their rules say; False: look at each."""
    if not pa.types.is_struct(values.type) or values.null_count:
        return False
    names = [field.name for field in values.type]
    return all(names.count(name) == 1 and rule.holds(pc.struct_field(values, name)) for name, rule in rules.items())


def unlabelled(value: Any) -> str:
    """What a value says that marks a label which is not public, for the end of a message."""
    return "; that marks a row whose label is not public, and such a split cannot be used" if value == NO_LABEL else ""


def shown(value: Any) -> str:
    """A value in a message, not all of a long one."""
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
