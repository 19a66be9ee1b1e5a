"""WMT16 English → Romanian translation.

Bojar et al. 2016, https://aclanthology.org/W16-2301. The hub's `wmt/wmt16`, subset `ro-en`; the input carries the
prefix of T5's own pretraining mixture (Raffel et al. 2020, https://arxiv.org/abs/1910.10683, appendix D).
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import pyarrow as pa
from torch import nn
from transformers import PreTrainedTokenizerBase

from bench.configuration.schema import DataConfig, Family
from bench.data import published
from bench.data.example import Example, Examples
from bench.data.published import Published
from bench.data.source import locate
from bench.data.synthetic import Shape, translation
from bench.data.token_cache import Columns, cached, encode, from_outside, tokenizer_fingerprint
from bench.errors import UserError
from bench.evaluation.generation import Search, write
from bench.evaluation.inference import Inference
from bench.evaluation.translation_metric import bleu_tokenizer, translation_scores, translation_signatures
from bench.models.tokenizer import end_token
from bench.records.metric import Metric, known_metric
from bench.tasks.base import Split, Task, TaskData
from bench.tasks.generation import Generation

COLUMNS = pa.schema([("input_ids", pa.list_(pa.int32())), ("labels", pa.list_(pa.int32())), ("reference", pa.string())])
LARGEST_PENALTY = 10.0  # the power of a length; far from any that was ever used


@dataclass(kw_only=True)
class Wmt16(Task):
    """Translate the `source` language's side into the `target`'s.

    Attributes:
        subset: the language pair on the hub.
        source, target: keys of the hub's `translation` column.
        prefix: put before the source text.
        train_split: which split to train on.
        beams: width of the beam search.
        max_new_tokens: a longer translation is cut.
        length_penalty, early_stopping: of the beam search, see `bench.evaluation.translation.Search`.
        bleu_tokenizer: sacreBLEU's; None: the one for the target language.
    """

    subset: str
    source: str
    target: str
    prefix: str
    train_split: str
    beams: int
    max_new_tokens: int
    length_penalty: float = 1.0
    early_stopping: bool = False
    bleu_tokenizer: str | None = None

    family: ClassVar[Family] = Family.encoder_decoder

    def __post_init__(self) -> None:
        """Refuse a search that cannot be."""
        self.check_numbers(beams=(1, 1000), max_new_tokens=(1, 100_000))
        if isinstance(self.length_penalty, bool) or not isinstance(self.length_penalty, int | float):
            raise UserError(f"task.length_penalty={self.length_penalty} must be a number")
        if not -LARGEST_PENALTY <= self.length_penalty <= LARGEST_PENALTY:
            raise UserError(f"task.length_penalty={self.length_penalty} must be between ±{LARGEST_PENALTY:g}")
        if not isinstance(self.early_stopping, bool):
            raise UserError(f"task.early_stopping={self.early_stopping} must be true or false")

    def on(self, family: Family) -> Task:
        """Itself on encoder-decoders; a decoder goes on from the prefix and the source."""
        if family != Family.decoder or type(self) is not Wmt16:
            return super().on(family)
        if self.bleu_tokenizer is not None:
            raise UserError(f"task '{self.name}' on a decoder takes BLEU's tokenizer from the language; leave it out")
        published = self.published
        return Generation(
            name=self.name, title=self.title, miniature=self.miniature, text=self.source, target=self.target,
            data={
                "hub": published.repository, "subset": self.subset, "rows": dict(published.rows),
                "splits": {"train": self.train_split, "validation": "validation", "test": "test"},
                "fields": {"translation": [self.source, self.target]}, "may_be_empty": [self.source, self.target],
            },
            prompt=f"{self.prefix}{{{self.source}}}\n{self.target}:", scored_by=["bleu", "chrf"], stop="\n",
            language=self.target,
            max_new_tokens=self.max_new_tokens, beams=self.beams, length_penalty=self.length_penalty,
            early_stopping=self.early_stopping,
        ).on(family)  # fmt: skip

    @property
    def main_metric(self) -> str:
        """BLEU as sacreBLEU computes it."""
        return "bleu"

    def metrics(self) -> list[Metric]:
        """BLEU and chrF, both in 0…100."""
        return [known_metric("bleu"), known_metric("chrf")]

    @property
    def published(self) -> Published:
        """The language pair's columns and row counts."""
        return published.wmt16(self.subset, self.source, self.target)

    @property
    def _search(self) -> Search:
        return Search(self.beams, self.max_new_tokens, self.length_penalty, self.early_stopping)

    @property
    def _words(self) -> str:
        """The tokenizer of BLEU."""
        return bleu_tokenizer(self.target, self.bleu_tokenizer)

    def sources(self) -> list[tuple[Published, str]]:
        """To train on, newsdev2016 and newstest2016."""
        return [(self.published, split) for split in (self.train_split, "validation", "test")]

    def synthesise(self, shape: Shape) -> list[Example]:
        """Random texts, each with another one to be generated."""
        return translation(shape)

    def load(self, tokenizer: PreTrainedTokenizerBase, max_length: int, data: DataConfig) -> TaskData:
        """Validation is newsdev2016, test newstest2016; both labelled. Sources and targets are cut at `max_length`."""
        end_token(tokenizer)  # refuses a tokenizer without one, before any training
        train, revision = self._split(tokenizer, max_length, data, self.train_split, data.limit_train)
        scored: dict[str, Split] = {}
        revisions = {f"{self.published.name}/{self.train_split}": revision}
        for name in ("validation",) if data.selects else ("validation", "test"):
            scored[name], revision = self._split(tokenizer, max_length, data, name, data.limit_evaluation)
            revisions[f"{self.published.name}/{name}"] = revision
        return TaskData(
            train=train.examples,
            validation={"validation": scored.pop("validation")},
            test=scored or None,
            revisions=revisions,
            notes={"sacrebleu": translation_signatures(self._words), "search": asdict(self._search)},
            scored_on={"split": "validation"} if data.selects else None,
        )

    def _split(
        self, tokenizer: PreTrainedTokenizerBase, max_length: int, data: DataConfig, split: str, limit: int | None
    ) -> tuple[Split, str]:
        located = locate(self.published, split, data, self.miniature)

        def tokenise(rows: Columns) -> Columns:
            pairs = rows["translation"]
            references = [pair[self.target] for pair in pairs]
            sources = [self.prefix + pair[self.source] for pair in pairs]
            options: dict[str, Any] = {"truncation": True, "max_length": max_length, "return_attention_mask": False}
            inputs = tokenizer(sources, **options)["input_ids"]
            labels = [
                _ended(row, end_token(tokenizer), max_length)
                for row in tokenizer(text_target=references, **options)["input_ids"]
            ]
            return {"input_ids": inputs, "labels": labels, "reference": references}

        key = ["wmt16", self.source, self.target, self.prefix, located.key, max_length, limit]
        table = cached(
            [*key, tokenizer_fingerprint(tokenizer), from_outside(self)],
            lambda: encode(located.rows().slice(0, limit), tokenise, COLUMNS),
        )
        return Split(
            Examples(table, ("input_ids", "labels")), table.column("reference").to_pylist()
        ), located.fingerprint

    def predict(self, model: nn.Module, examples: Sequence[Example], run: Inference) -> list[Any]:
        """Translations as text."""
        return write(model, examples, run, self._search)

    def score(self, references: dict[str, list[Any]], predictions: dict[str, list[Any]]) -> dict[str, float]:
        """Corpus BLEU and chrF of the first split."""
        split = next(iter(references))
        return translation_scores([references[split]], predictions[split], self._words)


def _ended(tokens: list[int], end: int, longest: int) -> list[int]:
    """What is to be written, with the end token behind it that a tokenizer may leave out."""
    return tokens if tokens[-1:] == [end] else [*tokens[: longest - 1], end]
