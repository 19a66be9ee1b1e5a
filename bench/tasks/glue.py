"""GLUE: eight tasks of English sentences and sentence pairs.

Wang et al. 2019, https://arxiv.org/abs/1804.07461. Columns, splits and labels as in the hub's `nyu-mll/glue`; WNLI is
left out, as in the survey.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pyarrow as pa
from torch import nn
from transformers import PreTrainedTokenizerBase

from bench.configuration.schema import DataConfig, Family
from bench.data import published
from bench.data.example import Example, Examples
from bench.data.published import Published
from bench.data.schema import Label, Score
from bench.data.selection import SELECTION, Selection, Strata
from bench.data.source import Located, locate
from bench.data.synthetic import Shape, classification
from bench.data.token_cache import Columns, cached, encode, from_outside, tokenizer_fingerprint
from bench.errors import UserError, unknown_name
from bench.evaluation.classification import classify
from bench.evaluation.inference import Inference
from bench.models.head import Head
from bench.records.metric import Metric, known_metric
from bench.tasks.base import Split, Task, TaskData
from bench.tasks.classification import Classification
from bench.tasks.regression import Regression


@dataclass(kw_only=True)
class Glue(Task):
    """One GLUE task: on encoders by a task head, on other models as a declared task of the same rows.

    Attributes:
        subset: its name on the hub.
        answer, prompt, words: see `bench.tasks.declaration` and `bench.tasks.classification`; an encoder-decoder is
            given T5's prompts unless another is said.
    """

    subset: str
    answer: str | dict[str, str] = "auto"
    prompt: str | dict[str, str] | None = None
    words: dict[str, str] = field(default_factory=dict)

    family: ClassVar[Family] = Family.encoder

    def __post_init__(self) -> None:
        if self.subset not in published.GLUE:
            raise unknown_name("GLUE task", self.subset, published.GLUE)
        self.declared()  # which checks answer, prompt and words

    def on(self, family: Family) -> Task:
        """Itself on an encoder that is given the texts as its tokenizer joins them."""
        if family != Family.encoder and type(self) is not Glue:
            raise UserError(f"task '{self.name}': {type(self).__name__} is a task of encoders, as {Glue.__name__} is")
        asked = self.declared().on(family)
        return self if family == Family.encoder and asked.template(family) is None else asked

    def declared(self) -> Classification | Regression:
        """The same rows, labels and metrics as a declared task."""
        *texts, label = self.published.columns
        rule = self.published.columns[label]
        splits = {"train": "train", "validation": list(self.validation_splits)}
        source = {"hub": self.published.repository, "subset": self.subset, "splits": splits}
        settings: dict[str, Any] = {
            "name": self.name, "title": self.title, "miniature": self.miniature, "label": label,
            "data": {**source, "rows": dict(self.published.rows), "may_be_empty": texts},
            "text": texts, "answer": self.answer, "prompt": self.prompt or {**_t5_prompts(self.subset, texts)},
            "scored_by": list(published.GLUE_METRICS[self.subset]),
        }  # fmt: skip
        if isinstance(rule, Label):
            return Classification(**settings, labels=dict(enumerate(rule.names)), words=self.words)
        assert isinstance(rule, Score)
        return Regression(**settings, low=rule.low, high=rule.high)

    @property
    def main_metric(self) -> str:
        """The first of the task's metrics."""
        return published.GLUE_METRICS[self.subset][0]

    def metrics(self) -> list[Metric]:
        """GLUE's own; MNLI's on the mismatched half too."""
        suffixes = ("", "_mismatched") if self.subset == "mnli" else ("",)
        return [known_metric(f"{name}{suffix}") for suffix in suffixes for name in published.GLUE_METRICS[self.subset]]

    @property
    def published(self) -> Published:
        """The task's columns, labels and row counts."""
        return published.GLUE[self.subset]

    @property
    def validation_splits(self) -> tuple[str, ...]:
        """One; two for MNLI, the matched one first."""
        return ("validation_matched", "validation_mismatched") if self.subset == "mnli" else ("validation",)

    def head(self) -> Head:
        """Two labels, three for MNLI, one score for STS-B."""
        label = self.published.columns["label"]
        return Head(labels=len(label.names)) if isinstance(label, Label) else Head(labels=1, regression=True)

    def sources(self) -> list[tuple[Published, str]]:
        """Train and validation splits; GLUE's test labels are not public."""
        return [(self.published, split) for split in ("train", *self.validation_splits)]

    def synthesise(self, shape: Shape) -> list[Example]:
        """Random texts with a random label each."""
        return classification(shape, self.head().labels, self.head().regression)

    def load(self, tokenizer: PreTrainedTokenizerBase, max_length: int, data: DataConfig) -> TaskData:
        """Sentence pairs are joined as the tokenizer joins them, and cut at `max_length`, the longer one first."""
        found = locate(self.published, "train", data, self.miniature)
        cut = self._selection(found, data) if data.selects else None
        train = self._split(tokenizer, max_length, found if cut is None else cut.rest(), data.limit_train)
        revisions, validation = {f"{self.published.name}/train": found.fingerprint}, {}
        for split in self.validation_splits if cut is None else (SELECTION,):
            found = locate(self.published, split, data, self.miniature) if cut is None else cut.scored()
            validation[split] = self._split(tokenizer, max_length, found, data.limit_evaluation)
            if cut is None:
                revisions[f"{self.published.name}/{split}"] = found.fingerprint
        told = None if cut is None else cut.told()
        return TaskData(train=train.examples, validation=validation, revisions=revisions, scored_on=told)

    def _selection(self, train: Located, data: DataConfig) -> Selection:
        """A share of the training rows."""
        *texts, label = self.published.columns
        rule = self.published.columns[label]
        strata = Strata(label, tuple(rule.names) if isinstance(rule, Label) else None)
        return Selection(
            found=train, split="train", texts=tuple(texts), strata=strata,
            share=data.selection_share, seed=data.selection_seed,
        )  # fmt: skip

    def _split(self, tokenizer: PreTrainedTokenizerBase, max_length: int, located: Located, limit: int | None) -> Split:
        *texts, _ = self.published.columns

        def tokenise(rows: Columns) -> Columns:
            tokens = tokenizer(
                *(rows[text] for text in texts), truncation=True, max_length=max_length, return_attention_mask=False
            )
            return {**tokens, "labels": rows["label"]}

        def build() -> pa.Table:
            rows = located.rows().slice(0, limit)
            return encode(rows, tokenise, _columns(tokenizer, regression=self.head().regression))

        key = ["glue", self.subset, texts, located.key, tokenizer_fingerprint(tokenizer), max_length, limit]
        table = cached([*key, from_outside(self)], build)
        return Split(Examples(table, table.column_names), table.column("labels").to_pylist())

    def predict(self, model: nn.Module, examples: Sequence[Example], run: Inference) -> list[Any]:
        """Labels, or scores for STS-B."""
        return classify(model, examples, run.padding, run.batch_size, run.tokens)

    def score(self, references: dict[str, list[Any]], predictions: dict[str, list[Any]]) -> dict[str, float]:
        """GLUE's metrics; MNLI's mismatched accuracy under a name of its own."""
        # Not at the top: evaluate imports transformers' pipelines, which take seconds.
        from bench.evaluation.glue_metric import glue_scores

        scores: dict[str, float] = {}
        for split, labels in references.items():
            suffix = "_mismatched" if split.endswith("mismatched") else ""
            for name, value in glue_scores(self.subset, labels, predictions[split]).items():
                scores[f"{name}{suffix}"] = value
        return scores


def _t5_prompts(subset: str, texts: Sequence[str]) -> dict[str, str]:
    """What T5 was given in its own training; Raffel et al. 2020, https://arxiv.org/abs/1910.10683, appendix D."""
    named = reversed(texts) if subset == "mnli" else texts
    return {Family.encoder_decoder.value: " ".join([subset, *(f"{text}: {{{text}}}" for text in named)])}


def _columns(tokenizer: PreTrainedTokenizerBase, regression: bool) -> pa.Schema:
    """What the tokenizer gives for each example (BERT's also tells the segments apart), and the label."""
    names = [name for name in tokenizer.model_input_names if name != "attention_mask"]
    tokens = [(name, pa.list_(pa.int32())) for name in names]
    return pa.schema([*tokens, ("labels", pa.float32() if regression else pa.int64())])
