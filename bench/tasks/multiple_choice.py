"""Choose among answers of an example's own, each written out: the likeliest counts, as it is or by its length.

Answers of which every example has as many, and which are told by letters, are a classification with a prompt.
"""

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
from bench.data.selection import Strata
from bench.data.token_cache import encode
from bench.errors import UserError, unknown_name
from bench.evaluation.continuations import likeliest_option
from bench.evaluation.inference import Inference
from bench.evaluation.metrics import CLASSES
from bench.models.tokenizer import end_token
from bench.tasks.declared import Answer, Declared
from bench.tasks.wording import SHORTENED, Template, answer_tokens, fitted, of_family, rows_of

ROWS = pa.list_(pa.int32())
WRITING = (Family.encoder_decoder, Family.decoder)
NORMALISED = ("none", "characters", "tokens")


@dataclass(kw_only=True)
class MultipleChoice(Declared):
    """Choose one of the answers in the columns `options`.

    Attributes:
        options: the columns with the answers.
        label: the column that says which is right.
        labels: its values, in the order of `options`.
        normalised: what an answer's log-probability is divided by: `none`, its `characters` (lm-evaluation-harness's
            `acc_norm` divides by bytes), or its `tokens`.
    """

    options: list[str]
    label: str
    labels: list[Any]
    normalised: str = "none"

    kinds: ClassVar[str] = CLASSES
    defaults: ClassVar[Mapping[Family, Answer]] = dict.fromkeys(WRITING, Answer.words)
    possible: ClassVar[Mapping[Family, Sequence[Answer]]] = dict.fromkeys(WRITING, (Answer.words,))

    def __post_init__(self) -> None:
        """Refuse fewer than two answers, as many labels as there are not, and columns that are two things."""
        super().__post_init__()
        if len(self.options) < 2 or len(self.labels) != len(self.options):
            raise UserError(f"task.options names {len(self.options)} columns, task.labels {len(self.labels)} values")
        columns = [*self.texts, *self.options, self.label]
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
        """What the answers are called."""
        return tuple(plain_text(label) for label in self.labels)

    @property
    def strata(self) -> Strata:
        """Which answer is right."""
        return Strata(self.label, self.names)

    def rules(self) -> Rules:
        """Text in all, and one of the labels."""
        return {**self.text_rules(), **dict.fromkeys(self.options, Filled()), self.label: Named(self.names)}

    def template(self, family: Family) -> Template:
        """The prompt, in which the answers may stand too."""
        given = of_family(self.prompt, family, "task.prompt")
        if given is None:
            asked = "\n".join(f"{{{name}}}" for name in self.texts)
            given = f"{asked}\nAnswer:" if family == Family.decoder else asked
        return Template.of(given, [*self.texts, *self.options], "task.prompt")

    def tokens(self, tokenizer: PreTrainedTokenizerBase, rows: pa.Table, max_length: int, *, train: bool) -> pa.Table:
        """See `Declared`; a model is trained to write the right answer and the end token, and asked about all."""
        assert self.asked is not None
        template, end, shortened = self.template(self.asked), end_token(tokenizer), 0
        goes_on = self.asked == Family.decoder

        def tokenise(some: dict[str, list[Any]]) -> dict[str, list[Any]]:
            nonlocal shortened
            written = {
                name: answer_tokens(tokenizer, template, some[name], end, goes_on=goes_on) for name in self.options
            }
            room = max(len(answer) for answers in written.values() for answer in answers) if goes_on else 0
            cut = fitted(
                tokenizer, template, rows_of(some), max_length - room, opened=goes_on, place=f"task '{self.name}'"
            )
            shortened += cut.count
            labels = some[self.label]
            if not train:
                each = [[written[name][row] for name in self.options] for row in range(len(labels))]
                # The end token belongs to what an encoder-decoder writes; behind a prompt the answer alone is compared.
                compared = [[answer[:-1] if goes_on else answer for answer in answers] for answers in each]
                return {
                    "input_ids": cut.tokens,
                    "options": [[token for answer in answers for token in answer] for answers in compared],
                    "counts": [[len(answer) for answer in answers] for answers in compared],
                    "sizes": [self._sizes(some, row, answers) for row, answers in enumerate(compared)],
                    "reference": labels,
                }
            right = [written[self.options[label]][row] for row, label in enumerate(labels)]
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

    def _sizes(self, some: dict[str, list[Any]], row: int, answers: list[list[int]]) -> list[int]:
        if self.normalised == "characters":
            return [len(some[name][row]) for name in self.options]
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
