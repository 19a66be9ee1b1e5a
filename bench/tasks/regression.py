"""A number for one text or two, by a head of one output."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import pyarrow as pa
from torch import nn
from transformers import PreTrainedTokenizerBase

from bench.configuration.schema import Family
from bench.data.declared_rules import Number
from bench.data.example import Example
from bench.data.synthetic import Shape, classification
from bench.errors import UserError
from bench.evaluation.classification import classify
from bench.evaluation.inference import Inference
from bench.evaluation.metrics import NUMBERS
from bench.models.head import Head
from bench.tasks.declaration import Answer
from bench.tasks.text_task import TextTask


@dataclass(kw_only=True)
class Regression(TextTask):
    """Say a number.

    Attributes:
        low, high: between which the column's numbers lie; None: no bound.
    """

    low: float | None = None
    high: float | None = None

    kinds: ClassVar[str] = NUMBERS
    defaults: ClassVar[Mapping[Family, Answer]] = dict.fromkeys(Family, Answer.head)
    possible: ClassVar[Mapping[Family, Sequence[Answer]]] = dict.fromkeys(Family, (Answer.head,))

    def __post_init__(self) -> None:
        """Refuse bounds that nothing lies between."""
        super().__post_init__()
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise UserError(f"task.low={self.low} must be below task.high={self.high}")

    def usual_metrics(self) -> Sequence[str]:
        """The correlations that GLUE uses, and the error."""
        return ("pearson", "spearman", "rmse")

    def label_rule(self) -> Number:
        """A number in the range."""
        return Number(self.low, self.high)

    def head(self) -> Head:
        """Of one output."""
        return Head(labels=1, regression=True)

    def synthesise(self, shape: Shape) -> list[Example]:
        """Random texts with a random number each."""
        return classification(shape, 1, regression=True)

    def tokens(self, tokenizer: PreTrainedTokenizerBase, rows: pa.Table, max_length: int, *, train: bool) -> pa.Table:
        """The texts' tokens, and the number."""
        return self.with_head(tokenizer, rows, max_length, pa.float32())

    def predict(self, model: nn.Module, examples: Sequence[Example], run: Inference) -> list[Any]:
        """Numbers."""
        return classify(model, examples, run.padding, run.batch_size, run.tokens)
