"""What a task's YAML says: where its rows are, how models of each family answer, and by what they are scored."""

import copy
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, ClassVar, Self

from bench.configuration.annotations import filled
from bench.configuration.schema import Family
from bench.data.columns import Rules
from bench.data.declared import DataSource, all_splits
from bench.data.declared_rules import Filled
from bench.data.schema import Text
from bench.data.selection import Strata
from bench.errors import UserError, unknown_name
from bench.evaluation.metrics import Scorer, scorers_of
from bench.records.metric import Metric
from bench.tasks.base import Task
from bench.tasks.instructions import Instructions
from bench.tasks.other_rows import Set, lesson_of, sets_of
from bench.tasks.wording import of_family


class Answer(StrEnum):
    """How a model answers: by a task head, by the likelihood of words, or by what it writes."""

    head = "head"
    words = "words"
    generate = "generate"


@dataclass(kw_only=True)
class Declaration(Task):
    """A task that is declared in YAML.

    Attributes:
        data: where the rows come from, see `bench.data.declared.DataSource`.
        text: the column with text, or those that the prompt takes.
        scored_by: the YAML's `metrics`: names, or mappings with `_target_` for a metric of one's own.
        answer: one of `Answer`, or one for each family; auto: what `defaults` says.
        prompt: a template or several, of which each row has one; or these for each family. What it is by default is
            each form's.
        trained_on: other rows to learn from: `data` alone for rows of the same columns, or with `form: instruction`
            what `bench.tasks.instructions.Instructions` takes.
        tested_on: by name, further sets of rows that are scored at the end, each by what differs from `data` and its
            `split` (test unless said otherwise); the metrics are means over them. Without a split for validation in
            `data` they are that too.
    """

    data: dict[str, Any]
    text: str | list[str]
    scored_by: list[Any] = field(default_factory=list)
    answer: str | dict[str, str] = "auto"
    prompt: str | list[str] | dict[str, str | list[str]] | None = None
    trained_on: dict[str, Any] | None = None
    tested_on: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: Family | None = field(init=False, default=None)  # the family that the task is done by, see `on`

    kinds: ClassVar[str]  # the metrics that suit it, see `bench.evaluation.metrics`
    defaults: ClassVar[Mapping[Family, Answer]]
    possible: ClassVar[Mapping[Family, Sequence[Answer]]]

    def __post_init__(self) -> None:
        """Read the parts of the declaration, and refuse what does not go together."""
        self.source = filled(DataSource, self.data, "task.data", self.name)
        self.instructions: Instructions | None = None
        self.lesson: DataSource | None = None
        if self.trained_on is not None:
            lesson = lesson_of(self.trained_on, self.data, self.name)
            self.instructions = lesson if isinstance(lesson, Instructions) else None
            self.lesson = lesson.source if isinstance(lesson, Instructions) else lesson
        self.sets: list[Set] = sets_of(self.tested_on, self.data, self.name)
        for column in self.source.may_be_empty:
            if column not in self.written:
                raise unknown_name("text in task.data.may_be_empty", column, self.written)
        self.scorers: list[Scorer] = scorers_of(self.scored_by, self.kinds, self.usual_metrics())
        names = [scorer.metric.name for scorer in self.scorers]
        for one in self.sets:
            if meant := next((name for name in names if f"{name}_{one.name}" in names), None):
                raise UserError(
                    f"task.tested_on.{one.name}: its {meant} would be called {meant}_{one.name}, a metric too; call "
                    "the set otherwise"
                )

    @abstractmethod
    def usual_metrics(self) -> Sequence[str]:
        """The metrics where the YAML names none; the first is the main one."""

    @abstractmethod
    def rules(self) -> Rules:
        """The columns that are read."""

    @property
    def texts(self) -> list[str]:
        """Of these, those with text to be read by the model."""
        return [self.text] if isinstance(self.text, str) else list(self.text)

    @property
    def written(self) -> list[str]:
        """All columns with text that may be empty where that is said."""
        return self.texts

    def text_rules(self) -> dict[str, Text]:
        """Of `written`: empty only where that is said."""
        return {name: Text() if name in self.source.may_be_empty else Filled() for name in self.written}

    def roles(self, root: str | None, *, validates: bool = True) -> dict[str, list[str]]:
        """The splits of `data`, see `DataSource.roles`."""
        roles = self.source.roles(root, trains=self.lesson is None, validates=validates and not self.sets)
        if self.sets and "test" in roles:
            raise UserError("task.data names a split test, and task.tested_on others; leave one of them out")
        if same := {one.name for one in self.sets}.intersection(all_splits(roles)):
            raise UserError(f"task.tested_on.{min(same)}: task.data has a split of that name; call the set otherwise")
        return roles

    @property
    def strata(self) -> Strata | None:
        """What a share of the rows has as much of as the rest, see `bench.data.selection`."""
        return None

    @property
    def grouping(self) -> Sequence[str]:
        """The columns of which rows with the same content belong together."""
        return ()

    def on(self, family: Family) -> Self:
        """The task as models of a family do it."""
        if self.asked == family:
            return self
        task = copy.copy(self)
        task.asked = family
        task.answer = self._answer_of(family)
        return task

    @property
    def way(self) -> Answer:
        """How a model answers; known once the family is."""
        assert self.asked is not None
        return Answer(str(self.answer))

    @property
    def form(self) -> str:
        """The form, and how it is answered."""
        return f"{type(self).__name__} {self.answer}"

    def _answer_of(self, family: Family) -> str:
        given = of_family(self.answer, family, "task.answer") or "auto"
        possible = self.possible.get(family, ())
        if not possible:
            fitting = " or ".join(f"'{name}'" for name, ways in self.possible.items() if ways)
            raise UserError(f"task '{self.name}' needs a model of the family {fitting}, this one is of '{family}'")
        if given == "auto":
            return str(self.defaults[family])
        if given not in possible:
            raise UserError(
                f"task.answer={given}: a model of the family '{family}' answers this task by "
                f"{' or '.join(map(str, possible))}"
            )
        return str(given)

    @property
    def main_metric(self) -> str:
        """The first that the YAML names."""
        return self.scorers[0].metric.name

    def metrics(self) -> list[Metric]:
        """Those that the YAML names."""
        return [scorer.metric for scorer in self.scorers]

    def seen_by(self, scorer: Scorer, references: list[Any]) -> list[Any]:
        """What a metric compares with."""
        return references

    def metric(self, name: str) -> Metric:
        """As declared; of a further split like that of the first."""
        fitting = [scorer.metric for scorer in self.scorers if name.startswith(f"{scorer.metric.name}_")]
        exact = [scorer.metric for scorer in self.scorers if scorer.metric.name == name]
        if exact or not fitting:
            return exact[0] if exact else super().metric(name)
        longest = max(fitting, key=lambda metric: len(metric.name))
        return replace(longest, name=name)
