"""What all tasks have in common that are declared in YAML alone: where their rows come from, and how they are scored.

`form` says which kind of task it is (`bench.tasks.build.FORMS`); each has a file of its own.
"""

import copy
import itertools
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any, ClassVar, Self

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
from bench.data.source import Located
from bench.data.synthetic import Shape, continuation, translation
from bench.data.token_cache import cached, from_outside, tokenizer_fingerprint
from bench.errors import UserError, unknown_name
from bench.evaluation.metrics import Scorer, scorers_of
from bench.records.metric import Metric
from bench.tasks.base import Split, Task, TaskData
from bench.tasks.wording import of_family

SHORTENED = b"shortened"
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
        prompt: a template, or one for each family; what it is by default is each form's.
    """

    data: dict[str, Any]
    text: str | list[str]
    scored_by: list[Any] = field(default_factory=list)
    answer: str | dict[str, str] = "auto"
    prompt: str | dict[str, str] | None = None
    asked: Family | None = field(init=False, default=None)  # the family that the task is done by, see `on`

    kinds: ClassVar[str]  # the metrics that suit it, see `bench.evaluation.metrics`
    defaults: ClassVar[Mapping[Family, Answer]]
    possible: ClassVar[Mapping[Family, Sequence[Answer]]]

    def __post_init__(self) -> None:
        """Read the parts of the declaration, and refuse what does not go together."""
        self.source = filled(DataSource, self.data, "task.data", self.name)
        for column in self.source.may_be_empty:
            if column not in self.texts:
                raise unknown_name("text in task.data.may_be_empty", column, self.texts)
        self.scorers: list[Scorer] = scorers_of(self.scored_by, self.kinds, self.usual_metrics())

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

    def text_rules(self) -> dict[str, Text]:
        """Of `texts`: empty only where that is said."""
        return {name: Text() if name in self.source.may_be_empty else Filled() for name in self.texts}

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
        """The repository's splits; files of one's own are there already."""
        if self.source.hub is None:
            return []
        published, roles = self.source.published(self.rules()), self.source.roles(None)
        if self.source.holdout is not None:
            roles = {role: splits for role, splits in roles.items() if role != "validation"}
        return [(published, split) for split in all_splits(roles)]

    def load(self, tokenizer: PreTrainedTokenizerBase, max_length: int, data: DataConfig) -> TaskData:
        """Read, check and tokenise all splits."""
        roles = self.source.roles(data.root)
        revisions: dict[str, str] = {}
        shortened: dict[str, int] = {}

        def read(split: str, *, train: bool) -> pa.Table:
            located = self.source.locate(split, self.rules(), self.texts, data, self.miniature)
            revisions[split] = located.fingerprint
            limit = data.limit_train if train else data.limit_evaluation
            table = self._cached(tokenizer, located, max_length, limit, train=train)
            if count := int((table.schema.metadata or {}).get(SHORTENED, b"0")):
                shortened[split] = count
            return table

        [train_split] = roles["train"]
        train = read(train_split, train=True)
        scored = {
            role: {split: self._split(read(split, train=False)) for split in roles[role]}
            for role in ("validation", "test")
            if role in roles
        }
        notes = {"answer": str(self.way), "texts_shortened": shortened} | self.notes(tokenizer)
        return TaskData(_examples(train), scored["validation"], scored.get("test"), revisions, notes)

    def notes(self, tokenizer: PreTrainedTokenizerBase) -> dict[str, Any]:
        """What a reader of the scores must know, beside the way of answering."""
        return {}

    def _cached(
        self, tokenizer: PreTrainedTokenizerBase, located: Located, max_length: int, limit: int | None, *, train: bool
    ) -> pa.Table:
        settings = {key: value for key, value in asdict(self).items() if key not in NOT_IN_KEY}
        key = [type(self).__name__, settings, located.key, max_length, limit, train]
        return cached(
            [*key, tokenizer_fingerprint(tokenizer), from_outside(self)],
            lambda: self.tokens(tokenizer, located.rows().slice(0, limit), max_length, train=train),
        )

    def _split(self, table: pa.Table) -> Split:
        return Split(_examples(table), self.references(table))

    def score(self, references: dict[str, list[Any]], predictions: dict[str, list[Any]]) -> dict[str, float]:
        """Every metric of the first split, and of further ones with what tells their names from the first's."""
        scores: dict[str, float] = {}
        first = next(iter(references), "")
        for split, right in references.items():
            suffix = "" if split == first else f"_{split.removeprefix(_common(first, split))}"
            for scorer in self.scorers:
                scores[f"{scorer.metric.name}{suffix}"] = scorer.score(right, predictions[split])
        return scores

    def metric(self, name: str) -> Metric:
        """As declared; of a further split like that of the first."""
        fitting = [scorer.metric for scorer in self.scorers if name.startswith(f"{scorer.metric.name}_")]
        exact = [scorer.metric for scorer in self.scorers if scorer.metric.name == name]
        if exact or not fitting:
            return exact[0] if exact else super().metric(name)
        longest = max(fitting, key=lambda metric: len(metric.name))
        return replace(longest, name=name)


def rows_of(columns: dict[str, list[Any]]) -> list[dict[str, Any]]:
    """Columns as rows."""
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def _common(first: str, other: str) -> str:
    """The words that both names begin with, and the underscore behind them: `validation_`."""
    words = zip(first.split("_"), other.split("_"), strict=False)
    same = list(itertools.takewhile(lambda pair: pair[0] == pair[1], words))
    return "".join(f"{word}_" for word, _ in same)


def _examples(table: pa.Table) -> Examples:
    """What the model is given: lists of tokens, labels and groups; text stays in the table."""
    names = [name for name in table.column_names if not pa.types.is_string(table.schema.field(name).type)]
    return Examples(table, [name for name in names if not name.startswith("reference")])
