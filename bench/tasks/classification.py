"""Classification of one text or two: by a head, by the likelihood of label words, or by what is written."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pyarrow as pa
from torch import nn
from transformers import PreTrainedTokenizerBase

from bench.configuration.schema import Family
from bench.data.columns import Rules
from bench.data.declared_rules import Named, Plain, plain_text
from bench.data.example import IGNORED, Example
from bench.data.selection import Strata
from bench.data.synthetic import Shape, classification
from bench.data.token_cache import encode
from bench.errors import UserError, unknown_name
from bench.evaluation.answers import Answers, answers_after
from bench.evaluation.classification import classify
from bench.evaluation.generation import Search, write
from bench.evaluation.inference import Inference
from bench.evaluation.label_words import likeliest, word_tokens
from bench.evaluation.metrics import CLASSES, GROUPED, Scorer
from bench.evaluation.multiple_choice import choose
from bench.models.head import Head
from bench.models.tokenizer import end_token
from bench.tasks.declared import Answer, Declared
from bench.tasks.wording import SHORTENED, Cut, Template, fitted, of_family, rows_of

ROWS = pa.list_(pa.int32())
GROUP = "reference_group"


@dataclass(kw_only=True)
class TextTask(Declared):
    """One text or two, and one thing to be said of them.

    Attributes:
        label: the column with what is to be said.
    """

    label: str

    def __post_init__(self) -> None:
        """Refuse more than two texts, and prompts that ask for columns that are none of them."""
        super().__post_init__()
        if not self.texts or len(set(self.texts)) < len(self.texts):
            raise UserError(f"task.text={self.text} must name a column, or several different ones")
        if self.label in self.texts:
            raise UserError(f"task.label={self.label} is one of the texts")
        for family in Family:
            if isinstance(self.prompt, str) or (self.prompt is not None and family in self.prompt):
                self.template(family)

    def rules(self) -> Rules:
        """Texts, empty only where that is said, and the label."""
        return {**self.text_rules(), self.label: self.label_rule()}

    @property
    def strata(self) -> Strata:
        """The label: what it is called, or the ranges of a number."""
        return Strata(self.label, getattr(self, "names", None))

    def label_rule(self) -> Any:
        """The rule of the column `label`."""
        raise NotImplementedError

    def head(self) -> Head | None:
        """Of so many labels as there are."""
        raise NotImplementedError

    def template(self, family: Family, *, to_answer: bool = False) -> Template | None:
        """The text that a model of a family is given; None: the columns by themselves, as its tokenizer joins them.

        Args:
            family: of the model.
            to_answer: whether something is to be written behind it.
        """
        given = of_family(self.prompt, family, "task.prompt") if self.prompt is not None else None
        if given is None and family == Family.encoder:
            if len(self.texts) > 2:
                raise UserError(f"task.text={self.text}: an encoder joins two texts at most; say task.prompt")
            return None
        if given is None:
            named = [f"{name}: {{{name}}}" for name in self.texts] if len(self.texts) > 1 else [f"{{{self.texts[0]}}}"]
            given = "\n".join([*named, f"{self.label}:"] if to_answer else named)
        return Template.of(given, self.texts, "task.prompt")

    def with_head(
        self, tokenizer: PreTrainedTokenizerBase, rows: pa.Table, max_length: int, kind: pa.DataType
    ) -> pa.Table:
        """Tokens of the texts, and the label as it is."""
        assert self.asked is not None
        template, shortened = self.template(self.asked), 0

        def tokenise(some: dict[str, list[Any]]) -> dict[str, list[Any]]:
            nonlocal shortened
            labels = some[self.label]
            if template is None:
                texts = [some[name] for name in self.texts]
                options: dict[str, Any] = {"max_length": max_length, "return_attention_mask": False}
                return {**tokenizer(*texts, truncation=True, **options), "labels": labels}
            cut = fitted(tokenizer, template, rows_of(some), max_length, opened=False, place=f"task '{self.name}'")
            shortened += cut.count
            return {"input_ids": cut.tokens, "labels": labels}

        names = ["input_ids"]
        if template is None:
            names = [name for name in tokenizer.model_input_names if name != "attention_mask"]
        schema = pa.schema([*((name, ROWS) for name in names), ("labels", kind)])
        table = encode(rows, tokenise, schema)
        return table.replace_schema_metadata({SHORTENED: str(shortened)})

    def references(self, table: pa.Table) -> list[Any]:
        """The labels."""
        found: list[Any] = table.column("reference" if "reference" in table.column_names else "labels").to_pylist()
        return found


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
        if len(set(rows.column(self.label).to_pylist())) < 2 and train:
            raise UserError(f"task '{self.name}': {self.label} is the same in all {len(rows)} training rows")
        if self.way == Answer.head:
            table = self.with_head(tokenizer, rows, max_length, pa.int64())
        elif self.asked == Family.decoder:
            table = self._continued(tokenizer, rows, max_length, train=train)
        else:
            table = self._written(tokenizer, rows, max_length)
        if self.group and not train:
            columns = [rows.column(name).to_pylist() for name in self.group]
            table = table.append_column(GROUP, pa.array(list(map(_key, zip(*columns, strict=True)))))
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

    def _written(self, tokenizer: PreTrainedTokenizerBase, rows: pa.Table, max_length: int) -> pa.Table:
        """For an encoder-decoder: the prompt, and the label's word as another text."""
        template, shortened = self._question(), 0
        targets = word_tokens(tokenizer, self.label_words)

        def tokenise(some: dict[str, list[Any]]) -> dict[str, list[Any]]:
            nonlocal shortened
            cut = self._fitted(tokenizer, template, some, max_length, opened=False)
            shortened += cut.count
            labels = some[self.label]
            return {"input_ids": cut.tokens, "labels": [targets[label] for label in labels], "reference": labels}

        schema = pa.schema([("input_ids", ROWS), ("labels", ROWS), ("reference", pa.int64())])
        table = encode(rows, tokenise, schema)
        return table.replace_schema_metadata({SHORTENED: str(shortened)})

    def _continued(
        self, tokenizer: PreTrainedTokenizerBase, rows: pa.Table, max_length: int, *, train: bool
    ) -> pa.Table:
        """For a decoder: the prompt and, to be trained on, what follows it."""
        template, shortened = self._question(), 0
        answers, end = self._answers(tokenizer), end_token(tokenizer)
        endings = [[*answers.begin, *rest, end] for rest in answers.rest]
        room = max(len(ending) for ending in endings) - answers.replaced

        def tokenise(some: dict[str, list[Any]]) -> dict[str, list[Any]]:
            nonlocal shortened
            cut = self._fitted(tokenizer, template, some, max_length - room, opened=True)
            shortened += cut.count
            labels = some[self.label]
            if not train:
                return {"input_ids": cut.tokens, "group": [0] * len(labels), "reference": labels}
            prompts = [prompt[: len(prompt) - answers.replaced] for prompt in cut.tokens]
            targets = [endings[label] for label in labels]
            pairs = list(zip(prompts, targets, strict=True))
            return {
                "input_ids": [[*prompt, *target] for prompt, target in pairs],
                "labels": [[IGNORED] * len(prompt) + target for prompt, target in pairs],
            }

        names = {"input_ids": ROWS, "labels": ROWS}
        if not train:
            names = {"input_ids": ROWS, "group": pa.int64(), "reference": pa.int64()}
        table = encode(rows, tokenise, pa.schema(list(names.items())))
        return table.replace_schema_metadata({SHORTENED: str(shortened)})

    def _question(self) -> Template:
        assert self.asked is not None
        template = self.template(self.asked, to_answer=True)
        assert template is not None
        if self.asked == Family.decoder and not template.end.strip():
            raise UserError(
                f"task.prompt has to end in words that the answer follows, such as '\\n{self.label}:'; a text may end "
                "in anything"
            )
        return template

    def _fitted(
        self, tokenizer: PreTrainedTokenizerBase, template: Template, some: dict[str, list[Any]], longest: int, *,
        opened: bool,
    ) -> Cut:  # fmt: skip
        return fitted(tokenizer, template, rows_of(some), longest, opened=opened, place=f"task '{self.name}'")

    def _answers(self, tokenizer: PreTrainedTokenizerBase) -> Answers:
        """What follows a prompt for each label: a space, unless the prompt ends in one, and its word."""
        end = self._question().end
        space = "" if end[-1:].isspace() else " "
        return answers_after(tokenizer, end, [f"{space}{word}" for word in self.label_words])

    def notes(self, tokenizer: PreTrainedTokenizerBase) -> dict[str, Any]:
        """The words that stand for the labels."""
        return {} if self.way == Answer.head else {"words": dict(zip(self.names, self.label_words, strict=True))}

    def predict(self, model: nn.Module, examples: Sequence[Example], run: Inference) -> list[Any]:
        """The labels' indices."""
        if self.way == Answer.head:
            return classify(model, examples, run.padding, run.batch_size, run.tokens)
        if self.way == Answer.generate:
            return self._read(write(model, examples, run, Search(beams=1, max_new_tokens=self._longest(run.tokenizer))))
        if self.asked == Family.decoder:
            return choose(model, examples, run, self._answers(run.tokenizer))
        return likeliest(model, examples, run, word_tokens(run.tokenizer, self.label_words))

    def _longest(self, tokenizer: PreTrainedTokenizerBase) -> int:
        """Tokens of the longest word, its end token included."""
        if self.asked == Family.decoder:
            answers = self._answers(tokenizer)
            return len(answers.begin) + max(len(rest) for rest in answers.rest) + 1
        return max(len(word) for word in word_tokens(tokenizer, self.label_words))

    def _read(self, texts: Sequence[str]) -> list[int]:
        """The labels whose words were written, letter for letter; -1 for anything else, which is wrong."""
        numbers = {word.strip(): index for index, word in enumerate(self.label_words)}
        return [numbers.get(text, -1) for text in texts]


def _key(values: Sequence[str | None]) -> str:
    """Short, and the same for the same values."""
    return hashlib.blake2b(repr(values).encode(), digest_size=8).hexdigest()
