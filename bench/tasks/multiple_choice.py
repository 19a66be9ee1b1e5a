"""Choose among answers of an example's own, each written out: the likeliest counts, as it is or by its length.

They stand in columns of their own, or in one column that holds a list of them, not always as many. Answers of which
every example has as many, and which are told by letters, are a classification with a prompt.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import pyarrow as pa
from torch import nn
from transformers import PreTrainedTokenizerBase

from bench.configuration.schema import Family
from bench.data.columns import Rules
from bench.data.declared_rules import Filled, Named, plain_text
from bench.data.example import IGNORED, Example
from bench.data.list_rules import Several
from bench.data.schema import shown
from bench.data.selection import Strata
from bench.data.token_cache import encode
from bench.errors import UserError, unknown_name
from bench.evaluation.continuations import likeliest_option
from bench.evaluation.inference import Inference
from bench.evaluation.metrics import CLASSES
from bench.models.tokenizer import end_token
from bench.tasks.declaration import Answer
from bench.tasks.declared import Declared
from bench.tasks.wording import SHORTENED, Template, answer_tokens, fitted, of_family, rows_of

ROWS = pa.list_(pa.int32())
WRITING = (Family.encoder_decoder, Family.decoder)
NORMALISED = ("none", "characters", "tokens")


@dataclass(kw_only=True)
class MultipleChoice(Declared):
    """Choose one of the answers in `options`.

    Attributes:
        options: the columns with the answers, or the one that holds a list of them: two or more.
        label: the column that says which is right.
        labels: its values, in the order of the answers; None: it is the text of the right one, of several with
            that text the first.
        normalised: what an answer's log-probability is divided by: `none`, its `characters` (lm-evaluation-harness's
            `acc_norm` divides by bytes), or its `tokens`.
    """

    options: list[str] | str
    label: str
    labels: list[Any] | None = None
    normalised: str = "none"

    kinds: ClassVar[str] = CLASSES
    defaults: ClassVar[Mapping[Family, Answer]] = dict.fromkeys(WRITING, Answer.words)
    possible: ClassVar[Mapping[Family, Sequence[Answer]]] = dict.fromkeys(WRITING, (Answer.words,))

    def __post_init__(self) -> None:
        """Refuse fewer than two answers, as many labels as there are not, and columns that are two things."""
        super().__post_init__()
        if isinstance(self.options, list) and len(self.options) < 2:
            raise UserError(
                f"task.options={self.options} must name two columns; one that holds lists is named without brackets"
            )
        if isinstance(self.options, list) and self.labels is not None and len(self.labels) != len(self.options):
            raise UserError(f"task.options names {len(self.options)} columns, task.labels {len(self.labels)} values")
        if twice := [name for name in self.names if self.names.count(name) > 1]:
            raise UserError(f"task.labels has {twice[0]!r} twice")
        columns = [*self.texts, *self.answers, self.label]
        if twice := [name for name in columns if columns.count(name) > 1]:
            raise UserError(f"the column {twice[0]} is two things at once in this task")
        if self.normalised not in NORMALISED:
            raise unknown_name("way in task.normalised", self.normalised, NORMALISED)
        for family in WRITING:
            self.template(family)

    def usual_metrics(self) -> Sequence[str]:
        """How many are right."""
        return ("accuracy",)

    @property
    def names(self) -> tuple[str, ...]:
        """What the answers are called; nothing where they have no names."""
        return tuple(plain_text(label) for label in self.labels or ())

    @property
    def answers(self) -> list[str]:
        """The column or columns with them."""
        return [self.options] if isinstance(self.options, str) else self.options

    @property
    def strata(self) -> Strata | None:
        """Which answer is right, where all rows have the same names for it."""
        return None if self.labels is None else Strata(self.label, self.names)

    def rules(self) -> Rules:
        """Text in all, and one of the labels."""
        rule = Several() if isinstance(self.options, str) else Filled()
        label = Filled() if self.labels is None else Named(self.names)
        return {**self.text_rules(), **dict.fromkeys(self.answers, rule), self.label: label}

    def template(self, family: Family) -> Template:
        """The prompt, in which the answers may stand too."""
        given = of_family(self.prompt, family, "task.prompt")
        if given is None:
            asked = "\n".join(f"{{{name}}}" for name in self.texts)
            given = f"{asked}\nAnswer:" if family == Family.decoder else asked
        single = [] if isinstance(self.options, str) else self.options
        return Template.of(given, [*self.texts, *single], "task.prompt")

    def tokens(self, tokenizer: PreTrainedTokenizerBase, rows: pa.Table, max_length: int, *, train: bool) -> pa.Table:
        """See `Declared`; a model is trained to write the right answer and the end token, and asked about all."""
        assert self.asked is not None
        template, end, shortened, done = self.template(self.asked), end_token(tokenizer), 0, 0
        goes_on = self.asked == Family.decoder

        def tokenise(some: dict[str, list[Any]]) -> dict[str, list[Any]]:
            nonlocal shortened, done
            texts = self._answers_of(some)
            flat = answer_tokens(tokenizer, template, [text for each in texts for text in each], end, goes_on=goes_on)
            behind = iter(flat)
            written = [list(itertools.islice(behind, len(each))) for each in texts]
            room = [max_length - max(map(len, answers)) * goes_on for answers in written]
            cut = fitted(tokenizer, template, rows_of(some), room, opened=goes_on, place=f"task '{self.name}'")
            shortened += cut.count
            labels = [
                self._right(value, each, f"{'training' if train else 'scored'} row {row}")
                for row, (value, each) in enumerate(zip(some[self.label], texts, strict=True), done + 1)
            ]
            done += len(labels)
            if not train:
                # The end token belongs to what an encoder-decoder writes; behind a prompt the answer alone is compared.
                compared = [[answer[:-1] if goes_on else answer for answer in answers] for answers in written]
                return {
                    "input_ids": cut.tokens,
                    "options": [[token for answer in answers for token in answer] for answers in compared],
                    "counts": [[len(answer) for answer in answers] for answers in compared],
                    "sizes": [self._sizes(*pair) for pair in zip(texts, compared, strict=True)],
                    "reference": labels,
                }
            right = [answers[label] for answers, label in zip(written, labels, strict=True)]
            if not goes_on:
                return {"input_ids": cut.tokens, "labels": right}
            pairs = list(zip(cut.tokens, right, strict=True))
            return {
                "input_ids": [[*prompt, *answer] for prompt, answer in pairs],
                "labels": [[IGNORED] * len(prompt) + answer for prompt, answer in pairs],
            }

        columns = {"input_ids": ROWS, "labels": ROWS}
        if not train:
            columns = {"input_ids": ROWS, "options": ROWS, "counts": ROWS, "sizes": ROWS, "reference": pa.int64()}
        table = encode(rows, tokenise, pa.schema(list(columns.items())))
        return table.replace_schema_metadata({SHORTENED: str(shortened)})

    def _answers_of(self, some: dict[str, list[Any]]) -> list[list[str]]:
        """The texts of each row's answers."""
        if isinstance(self.options, str):
            return some[self.options]
        return [list(each) for each in zip(*(some[name] for name in self.options), strict=True)]

    def _right(self, value: str | int, answers: list[str], place: str) -> int:
        """Which of a row's answers is right, told by its number or its text."""
        if isinstance(value, int):
            if value < len(answers):
                return value
            raise UserError(
                f"task '{self.name}': {self.label} of {place} is {self.names[value]}, and it has {len(answers)} answers"
            )
        if value in answers:
            return answers.index(value)
        raise UserError(f"task '{self.name}': {self.label} of {place} is {shown(value)}, none of its answers")

    def _sizes(self, texts: list[str], answers: list[list[int]]) -> list[int]:
        if self.normalised == "characters":
            return [len(text) for text in texts]
        return [len(answer) for answer in answers] if self.normalised == "tokens" else [1] * len(answers)

    def references(self, table: pa.Table) -> list[Any]:
        """Which answer is right."""
        found: list[Any] = table.column("reference").to_pylist()
        return found

    def notes(self, tokenizer: PreTrainedTokenizerBase) -> dict[str, Any]:
        """How answers are compared."""
        return {"answers": f"compared by the likelihood of the whole continuation, normalised by {self.normalised}"}

    def predict(self, model: nn.Module, examples: Sequence[Example], run: Inference) -> list[Any]:
        """The index of the likeliest answer."""
        return likeliest_option(model, examples, run)
