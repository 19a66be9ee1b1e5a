"""Instructions and responses to be trained on, in place of a task's own rows."""

from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from transformers import PreTrainedTokenizerBase

from bench.configuration.annotations import filled
from bench.configuration.schema import DataConfig, Family
from bench.data.columns import Rules
from bench.data.declared import DataSource
from bench.data.declared_rules import Filled
from bench.data.example import IGNORED
from bench.data.schema import Text
from bench.data.source import Located
from bench.data.token_cache import encode
from bench.errors import UserError, unknown_name
from bench.models.tokenizer import end_token, prompt_tokens
from bench.tasks.wording import SHORTENED, Template, answer_tokens, of_family, rows_of

LEFT_OUT = b"rows_left_out"
COLUMNS = pa.schema([("input_ids", pa.list_(pa.int32())), ("labels", pa.list_(pa.int32()))])
RESPONSE, ALL = "response", "all"
WRITING = (Family.encoder_decoder, Family.decoder)


@dataclass(kw_only=True)
class Instructions:
    """`task.trained_on` with `form: instruction`.

    Attributes:
        data: where the rows come from, see `bench.data.declared.DataSource`; its split `train` is taken.
        text: the column or columns that the prompt takes.
        response: the column that is to be written.
        prompt: a template or several, or these for each family; the columns, one below the other, unless it is said.
        loss: what a decoder learns: the `response` (and the end token), or `all` tokens of prompt and response.
    """

    data: dict[str, Any]
    text: str | list[str]
    response: str
    prompt: str | list[str] | dict[str, str | list[str]] | None = None
    loss: str = RESPONSE

    def __post_init__(self) -> None:
        """Refuse what does not go together."""
        self.source = filled(DataSource, self.data, "task.trained_on.data", "task.trained_on")
        if self.response in self.texts:
            raise UserError(f"task.trained_on.response={self.response} is one of the texts")
        if self.loss not in (RESPONSE, ALL):
            raise unknown_name("part in task.trained_on.loss", self.loss, (RESPONSE, ALL))
        for family in WRITING:
            self.template(family)

    @property
    def texts(self) -> list[str]:
        """The columns of the prompt."""
        return [self.text] if isinstance(self.text, str) else list(self.text)

    def rules(self) -> Rules:
        """Text everywhere, empty only where that is said."""
        empty = self.source.may_be_empty
        return {name: Text() if name in empty else Filled() for name in [*self.texts, self.response]}

    def locate(self, data: DataConfig, miniature: bool) -> Located:
        """Find the rows, see `DataSource.locate`."""
        return self.source.locate(self.source.train_split, self.rules(), self.texts, data, miniature)

    def template(self, family: Family) -> Template:
        """The prompt for models of a family."""
        given = of_family(self.prompt, family, "task.trained_on.prompt")
        if given is None:
            given = "\n".join(f"{{{name}}}" for name in self.texts)
        return Template.of(given, self.texts, "task.trained_on.prompt")

    def tokens(
        self, tokenizer: PreTrainedTokenizerBase, rows: pa.Table, max_length: int, family: Family, place: str
    ) -> pa.Table:
        """Prompts and responses in tokens.

        A response is cut at `max_length` (of a decoder, with its prompt), as the field does with sets of hundreds of
        thousands; a row whose prompt alone fills it teaches nothing and is left out. Both are counted.

        Args:
            tokenizer: the model's.
            rows: of the columns in `rules`.
            max_length: tokens.
            family: of the model, one that writes.
            place: the task, for the message.

        Returns:
            `COLUMNS`; the counts are in the metadata.

        Raises:
            UserError: the tokenizer has no end token, or every row is left out.
        """
        template, end, goes_on = self.template(family), end_token(tokenizer), family == Family.decoder
        cut = 0

        def tokenise(some: dict[str, list[Any]]) -> dict[str, list[Any]]:
            nonlocal cut
            prompts = [template.for_row(row).fill(row) for row in rows_of(some)]
            asked = prompt_tokens(tokenizer, prompts) if goes_on else tokenizer(prompts)["input_ids"]
            responses = answer_tokens(tokenizer, template, some[self.response], end, goes_on=goes_on)
            found: dict[str, list[Any]] = {"input_ids": [], "labels": []}
            for prompt, response in zip(asked, responses, strict=True):
                if len(prompt) > max_length - goes_on:  # a decoder has a token at least of the response behind it
                    continue
                before = len(prompt) if goes_on else 0
                kept = response[: max_length - before]
                cut += len(kept) < len(response)
                found["input_ids"].append([*prompt, *kept] if goes_on else prompt)
                masked = (prompt if self.loss == ALL else [IGNORED] * before) if goes_on else []
                found["labels"].append([*masked, *kept])
            return found

        table = encode(rows, tokenise, COLUMNS)
        if not len(table):
            raise UserError(f"{place}: the prompt alone of every training row is longer than training.max_length")
        return table.replace_schema_metadata({LEFT_OUT: str(len(rows) - len(table)), SHORTENED: str(cut)})


def counts_of(table: pa.Table) -> dict[str, int]:
    """Of a table of `Instructions.tokens`: rows that were left out, and responses that were cut."""
    told = table.schema.metadata or {}
    return {"instructions_too_long": int(told.get(LEFT_OUT, b"0")), "responses_cut": int(told.get(SHORTENED, b"0"))}
