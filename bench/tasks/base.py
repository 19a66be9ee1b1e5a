"""What a task is: where its data lie, how an example becomes tokens, and how predictions become scores."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from torch import nn
from transformers import PreTrainedTokenizerBase

from bench.configuration.schema import DataConfig, Family
from bench.data.example import Example
from bench.data.published import Published
from bench.data.synthetic import Shape
from bench.errors import UserError
from bench.evaluation.inference import Inference
from bench.models.head import Head
from bench.records.metric import Metric, known_metric


@dataclass(frozen=True)
class Split:
    """Examples to evaluate on.

    Attributes:
        examples: what the model is given; for generation without labels.
        references: what `Task.score` compares the predictions with, in the same order.
    """

    examples: Sequence[Example]
    references: list[Any]


@dataclass(frozen=True)
class TaskData:
    """All data of one task, tokenised.

    Attributes:
        train: training examples, with labels.
        validation: the splits scored along training, by name; the main metric refers to the first.
        test: scored once at the end, where the task keeps a labelled test split apart; else None.
        revisions: for each split read, as "repository/subset/split", the commit or fingerprint of its content.
        notes: what a reader of the scores must know, e.g. how many few-shot examples were dropped.
        scored_on: with `data.score_on=selection`, which rows `validation` holds in place of what is reported, see
            `bench.data.selection`: the `split` that they are from, and of a share of it `share` and `seed`; else None.
    """

    train: Sequence[Example]
    validation: dict[str, Split]
    test: dict[str, Split] | None = None
    revisions: dict[str, str] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)
    scored_on: dict[str, Any] | None = None

    @property
    def evaluation(self) -> dict[str, Split]:
        """All splits that are scored, by name."""
        return self.validation | (self.test or {})


@dataclass(kw_only=True)
class Task:
    """A data set, its template and its metrics. Subclasses are dataclasses; each field is a key of the YAML file.

    Attributes:
        name: as on the command line.
        title: as tables print it.
        miniature: whether the data are the package's artificial ones instead of the hub's.

    A class of the user's own says `family`, the kind of model that can do the task; one that several can do overrides
    `on`.
    """

    name: str
    title: str
    miniature: bool = False

    family: ClassVar[Family]  # the kind of model that can do the task

    @property
    def main_metric(self) -> str:
        """The metric that tables show."""
        raise NotImplementedError

    def metrics(self) -> list[Metric]:
        """What `score` gives, in its order: each metric's name, direction and range.

        A class that overrides `score` overrides this too where the names of its metrics do not say what they are;
        `Metric("rmse", better="lower", low=0)`. What is left out is told by its name (`bench.records.metric`).
        """
        return []

    def metric(self, name: str) -> Metric:
        """What the metric called `name` is: as declared, else as its name says."""
        return next((metric for metric in self.metrics() if metric.name == name), None) or known_metric(name)

    def right_answers(self, references: dict[str, list[Any]]) -> dict[str, list[Any]]:
        """The predictions that would all be right, as `score` takes them."""
        return references

    def check_numbers(self, **ranges: tuple[int, int]) -> None:
        """Refuse settings of the task that are no whole number between a least and a largest one.

        Raises:
            UserError: the setting, and what it may be.
        """
        for key, (least, most) in ranges.items():
            value = getattr(self, key)
            if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
                raise UserError(f"task.{key}={value} must be a whole number between {least} and {most}")

    def on(self, family: Family) -> "Task":
        """The task as models of a family do it.

        Raises:
            UserError: they cannot.
        """
        if family != self.family:
            raise UserError(
                f"task '{self.name}' needs a model of the family '{self.family}', this one is of '{family}'"
            )
        return self

    @property
    def form(self) -> str:
        """What training examples look like: equal for tasks whose examples of one length cost the same."""
        return type(self).__name__

    def longest_input(self, max_length: int) -> int:
        """The longest input that the model will see, in tokens, where training inputs have up to `max_length`."""
        return max_length

    def head(self) -> Head | None:
        """The head that the task needs on top of the model; None where the language-model head serves."""
        return None

    def load(self, tokenizer: PreTrainedTokenizerBase, max_length: int, data: DataConfig) -> TaskData:
        """Read the data and turn them into tokens, inputs no longer than `max_length`.

        With `data.selects` the split that is reported is not read: one for validation beside it is scored, or a share
        that is cut off the training rows (`bench.data.selection`), and `TaskData.scored_on` says which.

        Raises:
            UserError: data that are missing or not what the task expects.
        """
        raise NotImplementedError

    def sources(self) -> list[tuple[Published, str]]:
        """The data sets that `load` reads, and the split of each; `bench fetch` gets them."""
        return []

    def synthesise(self, shape: Shape) -> list[Example]:
        """Random tokens in the form of the task's training examples, see `bench.data.synthetic`."""
        raise UserError(f"task '{self.name}' makes no synthetic examples: its class lacks a method `synthesise`")

    def predict(self, model: nn.Module, examples: Sequence[Example], run: Inference) -> list[Any]:
        """What the model says to each example, in their order, in the form that `score` takes."""
        raise NotImplementedError

    def score(self, references: dict[str, list[Any]], predictions: dict[str, list[Any]]) -> dict[str, float]:
        """Compare predictions with references, split by split; every metric of the task by name."""
        raise NotImplementedError

    def breakdown(self, references: dict[str, list[Any]], predictions: dict[str, list[Any]]) -> dict[str, float]:
        """The main metric for each part of the data that the task distinguishes (MMLU's subjects); else nothing."""
        return {}
