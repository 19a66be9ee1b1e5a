"""Texts with blanks in them, each of which becomes a row: what belongs into it is asked."""

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa

from bench.data.columns import Rules
from bench.data.list_rules import Texts
from bench.data.schema import Text
from bench.errors import UserError, unknown_name


@dataclass(frozen=True, kw_only=True)
class Blanks:
    """`task.data.blanks`.

    Attributes:
        texts: the column with a text, or a list of them, that has blanks.
        pattern: a regular expression that finds one.
        answers: the column with a list of what belongs into them, in the order of the texts and their blanks.
        asked: what stands in a row's text for the blank that it asks about.
        others: what stands for the others.
    """

    texts: str
    pattern: str
    answers: str
    asked: str
    others: str

    def __post_init__(self) -> None:
        """Refuse one column for both, and an expression that is none or finds what is not there."""
        if self.texts == self.answers:
            raise UserError(f"task.data.blanks: {self.texts} cannot be both texts and answers")
        try:
            finds_nothing = re.search(self.pattern, "") is not None
        except re.error as error:
            raise UserError(f"task.data.blanks.pattern={self.pattern!r}: {error}") from error
        if finds_nothing:
            raise UserError(f"task.data.blanks.pattern={self.pattern!r} finds blanks where there is no text")

    def in_files(self, rules: Rules) -> Rules:
        """The rules of both columns as the files have them.

        Raises:
            UserError: one is no column of text that the task reads.
        """
        known = {name: rule for name, rule in rules.items() if isinstance(rule, Text)}
        for name in (self.texts, self.answers):
            if name not in known:
                raise unknown_name("text in task.data.blanks", name, list(known))
        return {name: Texts(known[name]) for name in (self.texts, self.answers)}

    def rows(self, table: pa.Table, what: str) -> pa.Table:
        """A row for each blank, with its text, its answer, and the other columns of the row that it is of.

        Args:
            table: whose `texts` and `answers` are lists.
            what: the split, for messages.

        Raises:
            UserError: a row with more or fewer answers than blanks.
        """
        places: list[int] = []
        texts: list[str] = []
        answers: list[str] = []
        columns = (table.column(name).to_pylist() for name in (self.texts, self.answers))
        for row, (several, right) in enumerate(zip(*columns, strict=True)):
            asked = [filled for text in several for filled in self._each(text)]
            if len(asked) != len(right):
                raise UserError(
                    f"{what}, row {row + 1}: {self.texts} has {len(asked)} blanks and {self.answers} {len(right)} texts"
                )
            places += [row] * len(asked)
            texts += asked
            answers += right
        others = table.drop_columns([self.texts, self.answers]).take(pa.array(places, pa.int64()))
        return others.append_column(self.texts, pa.array(texts, pa.string())).append_column(
            self.answers, pa.array(answers, pa.string())
        )

    def _each(self, text: str) -> Iterator[str]:
        """The text once for each of its blanks."""
        found = list(re.finditer(self.pattern, text))
        ends = [0, *(blank.end() for blank in found)]
        between = [text[end:begin] for end, begin in zip(ends, [*(b.start() for b in found), len(text)], strict=True)]
        for asked in range(len(found)):
            blanks = [self.asked if at == asked else self.others for at in range(len(found))]
            yield "".join(itertools.chain(*zip(between, [*blanks, ""], strict=True)))
