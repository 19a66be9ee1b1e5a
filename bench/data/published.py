"""Data sets as their publishers have them: columns, splits, label sets and row counts.

Those of MMLU, whose task is a class; of all others the task's YAML says it. Label sets and counts are those of the
hub's dataset cards (`tatsu-lab/alpaca`, `cais/mmlu`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bench.data.schema import Choices, Column, Label, Text


@dataclass(frozen=True)
class Published:
    """One data set.

    Attributes:
        repository: on the hub; also the folder below a mirror's root.
        subset: the hub's configuration name and the mirror's subfolder; None where there is one only.
        columns: the rule for each column that is read.
        rows: how many rows each split has; a split that is not named may have any number.
    """

    repository: str
    subset: str | None
    columns: Mapping[str, Column]
    rows: Mapping[str, int] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Repository and subset, as in a mirror's folders."""
        return f"{self.repository}/{self.subset}" if self.subset else self.repository


MMLU = Published(
    "cais/mmlu",
    "all",
    {"question": Text(), "subject": Text(), "choices": Choices(4), "answer": Label(tuple("ABCD"))},
    {"dev": 285, "validation": 1531, "test": 14042},
)

ALPACA = Published(
    "tatsu-lab/alpaca",
    None,
    {"instruction": Text(), "input": Text(optional=True), "output": Text()},
    {"train": 52002},
)
