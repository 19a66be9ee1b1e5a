"""Write a text for a text: translations, summaries, answers; on encoder-decoders and decoders."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar

import pyarrow as pa
from torch import nn
from transformers import PreTrainedTokenizerBase

from bench.configuration.schema import Family
from bench.data.columns import Rules
from bench.data.example import IGNORED, Example
from bench.data.list_rules import Texts
from bench.data.token_cache import encode
from bench.errors import UserError
from bench.evaluation.generation import Search, write
from bench.evaluation.inference import Inference
from bench.evaluation.metrics import TEXTS
from bench.evaluation.translation_metric import bleu_tokenizer, translation_signatures
from bench.evaluation.written import several, translation
from bench.models.tokenizer import end_token, prompt_tokens
from bench.tasks.declaration import Answer
from bench.tasks.declared import Declared
from bench.tasks.wording import SHORTENED, Template, answer_tokens, fitted, of_family, rows_of, target_tokens

ROWS = pa.list_(pa.int32())
LARGEST = 100_000  # new tokens
LARGEST_PENALTY = 10.0  # the power of a length; far from any that was ever used


@dataclass(kw_only=True)
class Generation(Declared):
    """Write what stands in the column `target`.

    Attributes:
        target: the column with what is to be written: a text, or a list of texts that are all right. A model learns the
            first of them.
        beams, max_new_tokens, length_penalty, early_stopping: see `bench.evaluation.generation.Search`.
        stop: text that ends an answer beside the end token; for all families or for some.
        language: of the target, a code such as zh; decides how BLEU finds its words.
        bleu_tokenizer: sacreBLEU's that finds them; None: the one for the language.
        cut_targets: whether an encoder-decoder's target that does not fit is cut, its end token kept; else it is
            refused.
    """

    target: str
    max_new_tokens: int
    beams: int = 1
    length_penalty: float = 1.0
    early_stopping: bool = False
    stop: str | dict[str, str] | None = None
    language: str = "en"
    bleu_tokenizer: str | None = None
    cut_targets: bool = False

    kinds: ClassVar[str] = TEXTS
    defaults: ClassVar[Mapping[Family, Answer]] = dict.fromkeys(
        (Family.encoder_decoder, Family.decoder), Answer.generate
    )
    possible: ClassVar[Mapping[Family, Sequence[Answer]]] = dict.fromkeys(
        (Family.encoder_decoder, Family.decoder), (Answer.generate,)
    )

    def __post_init__(self) -> None:
        """Refuse columns that are the same, prompts with others, and a search that cannot be."""
        super().__post_init__()
        self.check_numbers(beams=(1, 1000), max_new_tokens=(1, LARGEST))
        if self.target in self.texts:
            raise UserError(f"task.target={self.target} is one of the texts")
        if not -LARGEST_PENALTY <= self.length_penalty <= LARGEST_PENALTY:
            raise UserError(f"task.length_penalty={self.length_penalty} must be between ±{LARGEST_PENALTY:g}")
        for family in self.possible:
            self.template(family)
            if of_family(self.stop, family, "task.stop") == "":
                raise UserError("task.stop is empty, and every answer would be; null lets the end token alone end it")
        self.words = bleu_tokenizer(self.language, self.bleu_tokenizer)
        bleu = translation("bleu", self.words)
        self.scorers = [replace(one, function=bleu) if one.metric.name == "bleu" else one for one in self.scorers]

    def usual_metrics(self) -> Sequence[str]:
        """Those of a summary or an answer; BLEU has to be asked for."""
        return ("rougeL", "exact_match")

    @property
    def written(self) -> list[str]:
        """The texts and the target."""
        return [*self.texts, self.target]

    def rules(self) -> Rules:
        """Text everywhere, of the target one or several."""
        rules = self.text_rules()
        return {**rules, self.target: Texts(rules[self.target])}

    def template(self, family: Family) -> Template:
        """The prompt; of a decoder it ends in words that the answer follows."""
        given = of_family(self.prompt, family, "task.prompt")
        if given is None:
            named = [f"{name}: {{{name}}}" for name in self.texts] if len(self.texts) > 1 else [f"{{{self.texts[0]}}}"]
            given = "\n".join([*named, f"{self.target}:"] if family == Family.decoder else named)
        return Template.of(given, self.texts, "task.prompt")

    def longest_input(self, max_length: int) -> int:
        """A decoder has its prompt before it while it writes."""
        return max_length + (self.max_new_tokens if self.asked == Family.decoder else 0)

    def tokens(self, tokenizer: PreTrainedTokenizerBase, rows: pa.Table, max_length: int, *, train: bool) -> pa.Table:
        """See `Declared`. The loss is taken on the target and the end token.

        Raises:
            UserError: a target that does not fit.
        """
        assert self.asked is not None
        template, shortened, done = self.template(self.asked), 0, 0
        goes_on, end = self.asked == Family.decoder, end_token(tokenizer)

        def tokenise(some: dict[str, list[Any]]) -> dict[str, list[Any]]:
            nonlocal shortened, done
            targets = some[self.target]
            firsts = [texts[0] for texts in targets]
            if goes_on:
                answers = answer_tokens(tokenizer, template, firsts, end, goes_on=True)
            else:
                answers = target_tokens(tokenizer, firsts, end, max_length if self.cut_targets else None)
            if train:
                self._check_fit(tokenizer, template, answers, max_length, done)
            done += len(targets)
            room = [max_length - len(answer) * (goes_on and train) for answer in answers]
            cut = fitted(tokenizer, template, rows_of(some), room, opened=goes_on, place=f"task '{self.name}'")
            shortened += cut.count
            if goes_on and train:
                pairs = list(zip(cut.tokens, answers, strict=True))
                return {
                    "input_ids": [[*prompt, *answer] for prompt, answer in pairs],
                    "labels": [[IGNORED] * len(prompt) + answer for prompt, answer in pairs],
                    "reference": targets,
                }
            found: dict[str, list[Any]] = {"input_ids": cut.tokens, "reference": targets}
            return found if goes_on else {**found, "labels": answers}

        columns = {"input_ids": ROWS, "reference": pa.list_(pa.string())}
        if train or not goes_on:
            columns["labels"] = ROWS
        table = encode(rows, tokenise, pa.schema(list(columns.items())))
        return table.replace_schema_metadata({SHORTENED: str(shortened)})

    def _check_fit(
        self, tokenizer: PreTrainedTokenizerBase, template: Template, answers: list[list[int]], longest: int, done: int
    ) -> None:
        """Refuse targets that leave no room for the prompt's own words."""
        around = 0
        if self.asked == Family.decoder:
            bare = [one.fill(dict.fromkeys(one.fields, "")) for one in template.wordings]
            around = max(map(len, prompt_tokens(tokenizer, bare)))
        for row, answer in enumerate(answers):
            if len(answer) + around > longest:
                raise UserError(
                    f"task '{self.name}': {self.target} of training row {done + row + 1} takes {len(answer)} tokens, "
                    f"and {longest - around} fit; raise training.max_length, or leave the row out"
                )

    def references(self, table: pa.Table) -> list[Any]:
        """The targets; lists where a row has several."""
        found: list[list[str]] = table.column("reference").to_pylist()
        return [texts[0] if len(texts) == 1 else texts for texts in found]

    def notes(self, tokenizer: PreTrainedTokenizerBase) -> dict[str, Any]:
        """How a text is looked for, and sacreBLEU's signatures where it scores."""
        notes: dict[str, Any] = {"search": asdict(self._search), "stop": self._stop}
        if {"bleu", "chrf"}.intersection(scorer.metric.name for scorer in self.scorers):
            notes["sacrebleu"] = translation_signatures(self.words)
        return notes

    def right_answers(self, references: dict[str, list[Any]]) -> dict[str, list[Any]]:
        """The first of several that are right."""
        return {split: [several(right)[0] for right in each] for split, each in references.items()}

    @property
    def _search(self) -> Search:
        return Search(self.beams, self.max_new_tokens, self.length_penalty, self.early_stopping)

    @property
    def _stop(self) -> str | None:
        assert self.asked is not None
        return of_family(self.stop, self.asked, "task.stop")

    def predict(self, model: nn.Module, examples: Sequence[Example], run: Inference) -> list[Any]:
        """Texts."""
        return write(model, examples, run, self._search, self._stop)
