"""What the columns of a data set must hold, and the first row that does not.

A check returns the row (from 0) and what is wrong with it, in words that a message can end with.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc

Problem = tuple[int, str]


class Column(Protocol):
    """A rule for one column."""

    def problem(self, values: pa.ChunkedArray) -> Problem | None:
        """The first row that breaks the rule, and how; None if all hold."""


@dataclass(frozen=True)
class Text:
    """UTF-8 text in every row; it may be empty."""

    def problem(self, values: pa.ChunkedArray) -> Problem | None:
        """The first row without text, or with bytes that are no text."""
        if not (pa.types.is_string(values.type) or pa.types.is_large_string(values.type)):
            return 0, f"holds {values.type} instead of text"
        return _missing(values) or _not_utf8(values)


@dataclass(frozen=True)
class Label:
    """A class, by its index in `names`."""

    names: tuple[str, ...]

    def problem(self, values: pa.ChunkedArray) -> Problem | None:
        """The first row with another value."""
        if not pa.types.is_integer(values.type):
            return 0, f"holds {_shown(values)}; labels are 0 to {len(self.names) - 1} ({', '.join(self.names)})"
        wrong = _first(pc.invert(pc.is_in(values, pa.array(range(len(self.names)), values.type))))
        if wrong is None:
            return None
        known = ", ".join(f"{index} ({name})" for index, name in enumerate(self.names))
        return wrong, f"is {values[wrong].as_py()}, which is none of {known}"


@dataclass(frozen=True)
class Score:
    """A number between `low` and `high`."""

    low: float
    high: float

    def problem(self, values: pa.ChunkedArray) -> Problem | None:
        """The first row outside the range."""
        if not (pa.types.is_floating(values.type) or pa.types.is_integer(values.type)):
            return 0, f"holds {_shown(values)} instead of a number"
        inside = pc.and_(pc.greater_equal(values, self.low), pc.less_equal(values, self.high))
        wrong = _first(pc.invert(pc.fill_null(inside, False)))
        return (
            None
            if wrong is None
            else (wrong, f"is {values[wrong].as_py()}, not between {self.low:g} and {self.high:g}")
        )


@dataclass(frozen=True)
class Translation:
    """A text in each of the languages."""

    languages: tuple[str, ...]

    def problem(self, values: pa.ChunkedArray) -> Problem | None:
        """The first row without a language, or with bytes that are no text."""
        kind = values.type
        names = {kind.field(i).name for i in range(kind.num_fields)} if pa.types.is_struct(kind) else set()
        for language in self.languages:
            if language not in names:
                return 0, f"has no text in the language '{language}'"
            wrong = Text().problem(pc.struct_field(values, language))
            if wrong is not None:
                return wrong[0], f"in the language '{language}' {wrong[1]}"
        return None


@dataclass(frozen=True)
class Choices:
    """A list of `count` texts."""

    count: int

    def problem(self, values: pa.ChunkedArray) -> Problem | None:
        """The first row with more or fewer, or with bytes that are no text."""
        if not (pa.types.is_list(values.type) or pa.types.is_large_list(values.type)):
            return 0, f"holds {values.type} instead of a list of texts"
        lengths = pc.list_value_length(values)
        wrong = _first(pc.not_equal(pc.fill_null(lengths, -1), self.count))
        if wrong is not None:
            found = lengths[wrong].as_py()
            return wrong, f"has {0 if found is None else found} texts instead of {self.count}"
        inner = Text().problem(pc.list_flatten(values))
        return None if inner is None else (inner[0] // self.count, inner[1])


def _missing(values: pa.ChunkedArray) -> Problem | None:
    wrong = _first(pc.is_null(values)) if values.null_count else None
    return None if wrong is None else (wrong, "is missing")


def _not_utf8(values: pa.ChunkedArray) -> Problem | None:
    try:
        values.validate(full=True)
    except pa.ArrowInvalid:
        for row, value in enumerate(_raw(values)):
            try:
                value.decode()
            except UnicodeDecodeError as error:
                return row, f"is not UTF-8: {error.reason} at byte {error.start}"
    return None


def _raw(values: pa.ChunkedArray) -> Iterator[bytes]:
    for value in values:
        buffer = value.as_buffer()
        yield b"" if buffer is None else buffer.to_pybytes()


def _first(condition: pa.ChunkedArray) -> int | None:
    """The index of the first true value."""
    index = pc.index(condition, True).as_py()
    return None if index < 0 else int(index)


def _shown(values: pa.ChunkedArray) -> str:
    return repr(values[0].as_py()) if len(values) else str(values.type)
