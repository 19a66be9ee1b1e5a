"""Rules for columns of data that hold lists of texts in a file."""

from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from bench.data.declared_rules import Filled
from bench.data.schema import AsTheyAre, Text, fault_among, no_list


@dataclass(frozen=True)
class Texts(AsTheyAre):
    """One text or a list of them, each as `each` says; kept as a list."""

    each: Text = field(default_factory=Filled)

    @property
    def kind(self) -> pa.DataType:
        """A list of texts."""
        return pa.list_(pa.string())

    def fault(self, value: Any) -> str | None:
        """No text at all, or one that says nothing."""
        if not isinstance(value, list):
            return self.each.fault(value)
        if not value:
            return "is an empty list; it has to have a text"
        return fault_among(value, self.each.fault)

    def holds(self, values: pa.ChunkedArray) -> bool:
        """They are looked at one by one."""
        return False

    def emptiness(self, values: pa.ChunkedArray) -> str | None:
        """No text in any row."""
        return self.each.emptiness(pc.list_flatten(values))

    def converted(self, values: list[Any]) -> list[Any]:
        """As lists."""
        return [value if isinstance(value, list) else [value] for value in values]


@dataclass(frozen=True)
class Joined(Texts):
    """A list of texts, or one, made one text."""

    between: str = ", "

    @property
    def kind(self) -> pa.DataType:
        """UTF-8."""
        return pa.string()

    def emptiness(self, values: pa.ChunkedArray) -> str | None:
        """No text in any row."""
        return self.each.emptiness(values)

    def converted(self, values: list[Any]) -> list[Any]:
        """As text."""
        return [self.between.join(texts) for texts in super().converted(values)]


@dataclass(frozen=True)
class Several(AsTheyAre):
    """A list of two texts or more, not always as many, each of which says something."""

    @property
    def kind(self) -> pa.DataType:
        """A list of texts."""
        return pa.list_(pa.string())

    def fault(self, value: Any) -> str | None:
        """No list, fewer than two, or one that says nothing."""
        if (fault := no_list(value)) is not None:
            return fault
        if len(value) < 2:
            return f"has {len(value)} texts; it has to have two or more"
        return fault_among(value, lambda text: Text().fault(text) or ("" if text.strip() else "is empty"))

    def holds(self, values: pa.ChunkedArray) -> bool:
        """Lists of sound text, none too short."""
        if not (pa.types.is_list(values.type) or pa.types.is_large_list(values.type)) or values.null_count:
            return False
        enough = pc.all(pc.greater_equal(pc.list_value_length(values), 2), min_count=0).as_py()
        return bool(enough) and Filled().holds(pc.list_flatten(values))

    def emptiness(self, values: pa.ChunkedArray) -> str | None:
        """Every text says something."""
        return None
