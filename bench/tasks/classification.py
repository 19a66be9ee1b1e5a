"""Classification of one text or two: by a head, by the likelihood of label words, or by what is written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pyarrow as pa
from torch import nn
from transformers import PreTrainedTokenizerBase

from bench.configuration.schema import Family
from bench.data.columns import Rules
from bench.data.declared_rules import Named, Plain, plain_text
from bench.data.example import Example
from bench.data.synthetic import Shape, classification
from bench.errors import UserError, unknown_name
from bench.evaluation.classification import classify
from bench.evaluation.inference import Inference
from bench.evaluation.metrics import CLASSES, GROUPED, Scorer
from bench.identity.digests import row_key
from bench.models.head import Head
from bench.tasks.by_words import ByWords
from bench.tasks.declaration import Answer
from bench.tasks.text_task import TextTask

GROUP = "reference_group"
FEW = 20  # rows


@dataclass(kw_only=True)
class Classification(TextTask):
    """Say which of several labels a text has.

    Attributes:
        labels: the values of the column `label`, in the order of their numbers; or what each is called.
        words: what is written for each label (by what it is called); the others are written as they are called.
        group: the columns that rows which belong together have in common; for metrics by group.
    """

    labels: list[Any] | dict[Any, str]
    words: dict[Any, str] = field(default_factory=dict)
    group: list[str] = field(default_factory=list)

    kinds: ClassVar[str] = CLASSES
    defaults: ClassVar[Mapping[Family, Answer]] = {
        Family.encoder: Answer.head, Family.encoder_decoder: Answer.words, Family.decoder: Answer.head,
    }  # fmt: skip
    possible: ClassVar[Mapping[Family, Sequence[Answer]]] = {
        Family.encoder: (Answer.head,),
        Family.encoder_decoder: (Answer.words, Answer.generate, Answer.head),
        Family.decoder: (Answer.head, Answer.words, Answer.generate),
    }

    def __post_init__(self) -> None:
        """Refuse fewer than two labels, two of one name, and words of none."""
        super().__post_init__()
        if len(self.values) < 2:
            raise UserError(f"task.labels={self.labels} must name two labels or more")
        for what, names in (("labels", self.values), ("labels", self.names), ("words", self.label_words)):
            if twice := [name for name in names if list(names).count(name) > 1]:
                raise UserError(f"task.{what} has {twice[0]!r} twice")
        for name in self.words:
            if plain_text(name) not in self.names:
                raise unknown_name("label in task.words", plain_text(name), self.names)
        if GROUPED in [scorer.metric.name for scorer in self.scorers] and not self.group:
            raise UserError(f"the metric {GROUPED} needs task.group, the columns that rows of one group share")
        if self.label in self.group:
            raise UserError(f"task.group names the label, {self.label}")
        if "f1" in [scorer.metric.name for scorer in self.scorers] and len(self.values) != 2:
            raise UserError(
                f"the metric f1 is that of two labels, and there are {len(self.values)}; say f1_macro, f1_micro or "
                "f1_weighted"
            )

    def usual_metrics(self) -> Sequence[str]:
        """Accuracy, and F1: of the second of two labels, or averaged over more."""
        return ("accuracy", "f1" if len(self.labels) == 2 else "f1_macro")

    @property
    def values(self) -> tuple[str, ...]:
        """Of the column, as text."""
        return tuple(plain_text(value) for value in self.labels)

    @property
    def names(self) -> tuple[str, ...]:
        """What the labels are called."""
        called = self.labels.values() if isinstance(self.labels, dict) else self.labels
        return tuple(plain_text(name) for name in called)

    @property
    def label_words(self) -> tuple[str, ...]:
        """What a model writes for each."""
        given = {plain_text(name): word for name, word in self.words.items()}
        return tuple(given.get(name, name) for name in self.names)

    @property
    def grouping(self) -> Sequence[str]:
        """As `group` says."""
        return self.group

    def rules(self) -> Rules:
        """Also what groups rows."""
        rules = super().rules()
        return {**rules, **{name: Plain() for name in self.group if name not in rules}}

    def label_rule(self) -> Named:
        """One of the values."""
        return Named(self.values, self.names if isinstance(self.labels, dict) else ())

    def head(self) -> Head | None:
        """Where the model answers by one."""
        return Head(labels=len(self.values)) if self.way == Answer.head else None

    def synthesise(self, shape: Shape) -> list[Example]:
        """Random texts with a random label each, in the form that the model learns them in."""
        if self.way == Answer.head:
            return classification(shape, len(self.values), regression=False)
        return super().synthesise(shape)

    def tokens(self, tokenizer: PreTrainedTokenizerBase, rows: pa.Table, max_length: int, *, train: bool) -> pa.Table:
        """See `Declared`; a model that writes is trained on the word and the end token."""
        are_few = self.source.hub is not None and len(rows) < FEW  # those of a trial run may well have one label
        if train and not are_few and len(set(rows.column(self.label).to_pylist())) < 2:
            raise UserError(f"task '{self.name}': {self.label} is the same in all {len(rows)} training rows")
        if self.way == Answer.head:
            table = self.with_head(tokenizer, rows, max_length, pa.int64())
        else:
            table = self._by_words().tokens(tokenizer, rows, max_length, train=train)
        if self.group and not train:
            columns = [map(repr, rows.column(name).to_pylist()) for name in self.group]  # some values are None
            keys = [row_key(values).hex() for values in zip(*columns, strict=True)]
            table = table.append_column(GROUP, pa.array(keys))
        return table

    def references(self, table: pa.Table) -> list[Any]:
        """The labels; with their groups in front where there are some."""
        labels = super().references(table)
        return list(zip(table.column(GROUP).to_pylist(), labels, strict=True)) if self.group else labels

    def right_answers(self, references: dict[str, list[Any]]) -> dict[str, list[Any]]:
        """The labels."""
        if not self.group:
            return references
        return {split: [label for _, label in pairs] for split, pairs in references.items()}

    def seen_by(self, scorer: Scorer, references: list[Any]) -> list[Any]:
        """Labels alone, unless the metric is of groups."""
        return references if scorer.metric.name == GROUPED or not self.group else [label for _, label in references]

    def notes(self, tokenizer: PreTrainedTokenizerBase) -> dict[str, Any]:
        """The words that stand for the labels."""
        return {} if self.way == Answer.head else {"words": dict(zip(self.names, self.label_words, strict=True))}

    def predict(self, model: nn.Module, examples: Sequence[Example], run: Inference) -> list[Any]:
        """The labels' indices."""
        if self.way == Answer.head:
            return classify(model, examples, run.padding, run.batch_size, run.tokens)
        answers = self._by_words()
        said = answers.written if self.way == Answer.generate else answers.likeliest
        return said(model, examples, run)

    def _by_words(self) -> ByWords:
        assert self.asked is not None
        template = self.template(self.asked, to_answer=True)
        assert template is not None
        return ByWords(self.name, self.asked, template, self.label, self.label_words)
