"""What all tasks have in common that are declared in YAML alone: where their rows come from, and how they are scored.

`form` says which kind of task it is (`bench.tasks.build.FORMS`); each has a file of its own.
"""

import copy
import itertools
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any, ClassVar, Self

import numpy as np
import pyarrow as pa
from transformers import PreTrainedTokenizerBase

from bench.configuration.annotations import filled
from bench.configuration.schema import DataConfig, Family
from bench.data.columns import Rules
from bench.data.declared import DataSource, all_splits
from bench.data.declared_rules import Filled
from bench.data.example import Example, Examples
from bench.data.published import Published
from bench.data.schema import Text
from bench.data.selection import Strata
from bench.data.source import Located
from bench.data.synthetic import Shape, continuation, translation
from bench.data.token_cache import cached, from_outside, tokenizer_fingerprint
from bench.errors import UserError, unknown_name
from bench.evaluation.metrics import Scorer, scorers_of
from bench.records.metric import Metric
from bench.tasks.base import Split, Task, TaskData
from bench.tasks.declared_rows import rows_for
from bench.tasks.instructions import Instructions, counts_of
from bench.tasks.other_rows import Set, lesson_of, sets_of
from bench.tasks.wording import SHORTENED, of_family

NOT_IN_KEY = frozenset({"name", "title", "scored_by", "miniature"})  # these change nothing of a task's tokens


class Answer(StrEnum):
    """How a model answers: by a task head, by the likelihood of words, or by what it writes."""

    head = "head"
    words = "words"
    generate = "generate"


@dataclass(kw_only=True)
class Declared(Task):
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

    def synthesise(self, shape: Shape) -> list[Example]:
        """Random texts, each with another to be written, or with their own second half."""
        return translation(shape) if self.asked == Family.encoder_decoder else continuation(shape)

    @abstractmethod
    def tokens(self, tokenizer: PreTrainedTokenizerBase, rows: pa.Table, max_length: int, *, train: bool) -> pa.Table:
        """The tokens of some rows, to be trained on or to be asked; shortened rows are counted in the metadata."""

    @abstractmethod
    def references(self, table: pa.Table) -> list[Any]:
        """Of a table of `tokens`, what predictions are compared with."""

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

    def sources(self) -> list[tuple[Published, str]]:
        """The repositories' splits; files of one's own are there already."""
        rules = self.rules()
        found: list[tuple[Published, str]] = []
        if self.source.hub is not None:
            roles = self.roles(None)
            if self.source.holdout is not None:
                roles = {**roles, "train": [self.source.train_split], "validation": []}
            found += [(self.source.published(rules), split) for split in all_splits(roles)]
        if self.lesson is not None and self.lesson.hub is not None:
            asked = rules if self.instructions is None else self.instructions.rules()
            found.append((self.lesson.published(asked), self.lesson.train_split))
        return found + [(one.source.published(rules), one.split) for one in self.sets if one.source.hub is not None]

    def roles(self, root: str | None, *, validates: bool = True) -> dict[str, list[str]]:
        """The splits of `data`, see `DataSource.roles`."""
        roles = self.source.roles(root, trains=self.lesson is None, validates=validates and not self.sets)
        if self.sets and "test" in roles:
            raise UserError("task.data names a split test, and task.tested_on others; leave one of them out")
        if same := {one.name for one in self.sets}.intersection(all_splits(roles)):
            raise UserError(f"task.tested_on.{min(same)}: task.data has a split of that name; call the set otherwise")
        return roles

    def load(self, tokenizer: PreTrainedTokenizerBase, max_length: int, data: DataConfig) -> TaskData:
        """Read, check and tokenise all splits."""
        rows = rows_for(self, data)
        revisions: dict[str, str] = {}
        notes: dict[str, Any] = {"answer": str(self.way), "texts_shortened": {}}

        def read(name: str, located: Located, *, train: bool = False) -> pa.Table:
            revisions[name] = located.fingerprint
            limit = data.limit_train if train else data.limit_evaluation

            def made() -> pa.Table:
                return self.tokens(tokenizer, located.rows().slice(0, limit), max_length, train=train)

            table = self._cached(tokenizer, located, [max_length, limit, train], made)
            if count := int((table.schema.metadata or {}).get(SHORTENED, b"0")):
                notes["texts_shortened"][name] = count
            return table

        if self.instructions is not None:
            revisions["train"] = rows.train.fingerprint
            train = self._cached(
                tokenizer, rows.train, [max_length, data.limit_train],
                lambda: self._instructed(tokenizer, rows.train, max_length, data.limit_train),
            )  # fmt: skip
            notes |= counts_of(train)
        else:
            train = read("train", rows.train, train=True)
        splits = {
            role: {name: self._split(read(name, located)) for name, located in found.items()}
            for role, found in (("validation", rows.validation), ("test", rows.test))
        }
        assert self.asked is not None
        if not isinstance(prompts := of_family(self.prompt, self.asked, "task.prompt"), str | None):
            notes["prompts"] = f"each row has one of {len(prompts)}"
        notes |= self.notes(tokenizer)
        test = splits["test"] or None
        return TaskData(_examples(train), splits["validation"], test, revisions, notes, rows.scored_on)

    @property
    def strata(self) -> Strata | None:
        """What a share of the rows has as much of as the rest, see `bench.data.selection`."""
        return None

    @property
    def grouping(self) -> Sequence[str]:
        """The columns of which rows with the same content belong together."""
        return ()

    def _instructed(
        self, tokenizer: PreTrainedTokenizerBase, located: Located, max_length: int, limit: int | None
    ) -> pa.Table:
        assert self.instructions is not None
        assert self.asked is not None
        rows = located.rows().slice(0, limit)
        return self.instructions.tokens(tokenizer, rows, max_length, self.asked, f"task '{self.name}'")

    def notes(self, tokenizer: PreTrainedTokenizerBase) -> dict[str, Any]:
        """What a reader of the scores must know, beside the way of answering."""
        return {}

    def _cached(
        self, tokenizer: PreTrainedTokenizerBase, located: Located, asked: list[Any], build: Callable[[], pa.Table]
    ) -> pa.Table:
        settings = {key: value for key, value in asdict(self).items() if key not in NOT_IN_KEY}
        key = [type(self).__name__, settings, located.key, *asked]
        return cached([*key, tokenizer_fingerprint(tokenizer), from_outside(self)], build)

    def _split(self, table: pa.Table) -> Split:
        return Split(_examples(table), self.references(table))

    def score(self, references: dict[str, list[Any]], predictions: dict[str, list[Any]]) -> dict[str, float]:
        """Every metric of the first split, and of further ones with what tells their names from the first's.

        Of the sets in `tested_on`: the mean over them, and each one's.
        """
        first = next(iter(references), "")
        each = {
            split: {one.metric.name: one.score(self.seen_by(one, right), predictions[split]) for one in self.scorers}
            for split, right in references.items()
        }
        if self.sets and set(each) == {one.name for one in self.sets}:
            means = {name: float(np.mean([scores[name] for scores in each.values()])) for name in each[first]}
            return means | {
                f"{name}_{split}": value for split, scores in each.items() for name, value in scores.items()
            }
        scores: dict[str, float] = {}
        for split, values in each.items():
            suffix = "" if split == first else f"_{split.removeprefix(_common(first, split))}"
            scores |= {f"{name}{suffix}": value for name, value in values.items()}
        return scores

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


def _common(first: str, other: str) -> str:
    """The words that both names begin with, and the underscore behind them: `validation_`."""
    words = zip(first.split("_"), other.split("_"), strict=False)
    same = list(itertools.takewhile(lambda pair: pair[0] == pair[1], words))
    return "".join(f"{word}_" for word, _ in same)


def _examples(table: pa.Table) -> Examples:
    """What the model is given: lists of tokens, labels and groups; text stays in the table."""
    names = [name for name in table.column_names if not pa.types.is_string(table.schema.field(name).type)]
    return Examples(table, [name for name in names if not name.startswith("reference")])
