"""A finished table as plain data, the same for every format."""

import re
from dataclasses import dataclass, field

from bench.tables.definition.frame import Records

CATEGORIES = {
    "none": "No training",
    "full": "Full fine-tuning",
    "additive": "Additive",
    "partial": "Partial",
    "reparameterised": "Reparameterised",
    "hybrid": "Hybrid",
    "unified": "Unified",
    "other": "Other",
}
CONTROL = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufffe\uffff\ud800-\udfff]+"
)


def one_line(text: object) -> str:
    """A name as one printable line: control characters, and those that reverse a text, become a space."""
    line = str(text)
    return (line if line.isprintable() else CONTROL.sub(" ", line)).strip()


@dataclass(frozen=True)
class Column:
    """One column of figures.

    Attributes:
        key: unique in the table, such as `cola.matthews_correlation` or `trainable`.
        group: the header above, shared by neighbouring columns; empty: none.
        title: the header.
        unit: see `definition.UNITS`.
        digits: after the point.
        better: "higher", "lower" or "none".
        score: whether the values are scores of a task (or their average), with a deviation over seeds.
    """

    key: str
    group: str
    title: str
    unit: str
    digits: int
    better: str
    score: bool

    @property
    def task(self) -> str:
        """The task of a score, as in the key; empty for anything else and for the average."""
        return self.key.partition(".")[0] if self.score and "." in self.key else ""


def main_column(columns: list[Column]) -> Column | None:
    """The column that stands for the whole: the average, else the first score."""
    scores = [column for column in columns if column.score]
    return next((column for column in scores if column.key == "average"), scores[0] if scores else None)


@dataclass(frozen=True)
class Entry:
    """What stands in one row and column.

    Attributes:
        status: done, missing, failed, out_of_memory, unsupported; "incomplete" for an average that lacks tasks;
            "reported" for others' figures.
        value: mean or median over seeds in the column's unit; None unless done.
        deviation: standard deviation over seeds (n − 1 in the denominator); None for fewer than two.
        values: one per finished seed.
        seeds: how many finished; of a measurement, how many were measured.
        expected: how many there should be; 0 for a count, which any record tells and no seed changes.
        interval: bootstrap confidence interval of `value`.
        p_value: of the paired comparison with another method, after the correction.
        rank: 1 for the best of its block and all that cannot be told apart from it, 2 for the second best.
        tied: letters; scores of the block that share one cannot be told apart.
        reference: the survey's own value, if it was filled in.
        records: paths of the records behind it.
    """

    status: str
    value: float | None = None
    deviation: float | None = None
    values: tuple[float, ...] = ()
    seeds: int = 0
    expected: int = 0
    interval: tuple[float, float] | None = None
    p_value: float | None = None
    rank: int | None = None
    tied: str = ""
    reference: float | None = None
    records: tuple[str, ...] = ()


@dataclass(frozen=True)
class Row:
    """One method (with one variant of settings) on one model.

    Attributes:
        keys: the values of the table's row keys.
        task: the block's, where blocks are of one task.
        source: of figures that others reported: where they were read, of how many seeds, under which conditions.
    """

    model: str
    method: str
    title: str
    category: str
    variant: str
    entries: dict[str, Entry]
    keys: tuple[str, ...] = ()
    task: str = ""
    source: str = ""


@dataclass(frozen=True)
class Block:
    """Rows with the model (or model and task) in common, in the order of the categories.

    Attributes:
        rows: ours.
        others: figures that others reported. They are shown and nothing else: no test, mark or figure sees them.
    """

    title: str
    rows: list[Row]
    others: list[Row] = field(default_factory=list)

    @property
    def every_row(self) -> list[Row]:
        """All that is shown, from top to bottom."""
        return [*self.rows, *self.others]


@dataclass(frozen=True)
class Table:
    """A table, ready to be rendered.

    Attributes:
        name: for files, such as `miniature-glue`.
        definition: the definition's name.
        survey: the survey's number, such as III; empty for none.
        experiment: whose records these are.
        miniature: made of artificial data or models.
        title: the caption; says "miniature" where it is one.
        seeds: how many seeds most entries have.
        columns, blocks: the table itself.
        row_keys: the settings that make rows of their own, such as `training.learning_rate`.
        notes: one sentence each.
        command: that makes this table again; formats and where files go are left out.
        records: behind it; for files of all values and for figures.
        label: in LaTeX; empty: made of the name.
        siunitx: in LaTeX, figures stand with their points below each other, by that package.
        effects: rows are components of methods, a block is one method's, and values are what each component does.
    """

    name: str
    definition: str
    survey: str
    experiment: str
    miniature: bool
    title: str
    seeds: int
    columns: list[Column]
    blocks: list[Block]
    records: Records
    notes: list[str] = field(default_factory=list)
    row_keys: tuple[str, ...] = ()
    command: str = ""
    label: str = ""
    siunitx: bool = False
    effects: bool = False
