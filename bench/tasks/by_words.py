"""Answer with the word of a label, on models that write: what they learn of it, and which label they mean."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from torch import nn
from transformers import PreTrainedTokenizerBase

from bench.configuration.schema import Family
from bench.data.example import IGNORED, Example
from bench.data.token_cache import encode
from bench.errors import UserError
from bench.evaluation.answers import Answers, answers_after
from bench.evaluation.generation import Search, write
from bench.evaluation.inference import Inference
from bench.evaluation.label_words import likeliest, word_tokens
from bench.evaluation.multiple_choice import choose
from bench.models.tokenizer import end_token
from bench.tasks.wording import SHORTENED, Cut, Template, fitted, rows_of

ROWS = pa.list_(pa.int32())


@dataclass(frozen=True)
class ByWords:
    """How models of a family answer with words.

    Attributes:
        task: its name, for messages.
        family: encoder-decoders or decoders.
        template: the prompt.
        label: the column with the labels' indices.
        words: what is written for each label.
    """

    task: str
    family: Family
    template: Template
    label: str
    words: tuple[str, ...]

    def __post_init__(self) -> None:
        """Refuse a decoder's prompt that a text may end."""
        if self.family == Family.decoder and not self.template.end.strip():
            raise UserError(
                f"task.prompt has to end in words that the answer follows, such as '\\n{self.label}:'; a text may end "
                "in anything"
            )

    def tokens(self, tokenizer: PreTrainedTokenizerBase, rows: pa.Table, max_length: int, *, train: bool) -> pa.Table:
        """See `bench.tasks.declared.Declared`; a model is trained on the word and the end token."""
        if self.family == Family.decoder:
            return self._continued(tokenizer, rows, max_length, train=train)
        return self._written(tokenizer, rows, max_length)

    def likeliest(self, model: nn.Module, examples: Sequence[Example], run: Inference) -> list[int]:
        """The labels whose words are the likeliest."""
        if self.family == Family.decoder:
            return choose(model, examples, run, self._answers(run.tokenizer))
        return likeliest(model, examples, run, word_tokens(run.tokenizer, self.words))

    def written(self, model: nn.Module, examples: Sequence[Example], run: Inference) -> list[int]:
        """The labels whose words are written, letter for letter; -1 for anything else, which is wrong."""
        texts = write(model, examples, run, Search(beams=1, max_new_tokens=self._longest(run.tokenizer)))
        numbers = {word.strip(): index for index, word in enumerate(self.words)}
        return [numbers.get(text, -1) for text in texts]

    def _written(self, tokenizer: PreTrainedTokenizerBase, rows: pa.Table, max_length: int) -> pa.Table:
        """For an encoder-decoder: the prompt, and the label's word as another text."""
        targets, shortened = word_tokens(tokenizer, self.words), 0

        def tokenise(some: dict[str, list[Any]]) -> dict[str, list[Any]]:
            nonlocal shortened
            cut = self._fitted(tokenizer, some, max_length, opened=False)
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
        answers, end, shortened = self._answers(tokenizer), end_token(tokenizer), 0
        endings = [[*answers.begin, *rest, end] for rest in answers.rest]
        room = max(len(ending) for ending in endings) - answers.replaced

        def tokenise(some: dict[str, list[Any]]) -> dict[str, list[Any]]:
            nonlocal shortened
            cut = self._fitted(tokenizer, some, max_length - room, opened=True)
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

    def _answers(self, tokenizer: PreTrainedTokenizerBase) -> Answers:
        """What follows a prompt for each label: a space, unless the prompt ends in one, and its word."""
        end = self.template.end
        space = "" if end[-1:].isspace() else " "
        return answers_after(tokenizer, end, [f"{space}{word}" for word in self.words])

    def _longest(self, tokenizer: PreTrainedTokenizerBase) -> int:
        """Tokens of the longest word, its end token included."""
        if self.family == Family.decoder:
            answers = self._answers(tokenizer)
            return len(answers.begin) + max(len(rest) for rest in answers.rest) + 1
        return max(len(word) for word in word_tokens(tokenizer, self.words))

    def _fitted(
        self, tokenizer: PreTrainedTokenizerBase, some: dict[str, list[Any]], longest: int, *, opened: bool
    ) -> Cut:
        return fitted(tokenizer, self.template, rows_of(some), longest, opened=opened, place=f"task '{self.task}'")
