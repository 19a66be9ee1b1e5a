"""A declared task within a class, for whoever wants to change a part of it in code."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any, ClassVar

from omegaconf import OmegaConf
from torch import nn
from transformers import PreTrainedTokenizerBase

from bench.configuration.folder import CONFIGS
from bench.configuration.schema import DataConfig, Family
from bench.data.example import Example
from bench.data.published import Published
from bench.data.synthetic import Shape
from bench.evaluation.inference import Inference
from bench.models.head import Head
from bench.records.metric import Metric
from bench.tasks.base import Task, TaskData
from bench.tasks.forms import declared_from

PACKAGE = __name__.partition(".")[0]


@dataclass(kw_only=True)
class Around(Task):
    """Does what a declared task does, but for what a class of the user's own below it overrides.

    Attributes:
        declaration: all settings of the YAML that are none of the class's: with `form` a whole declaration, else what
            differs from that of the file `packaged`.
    """

    declaration: dict[str, Any] = field(default_factory=dict)

    # The class's settings that the declaration is made of, and those that are settings of the form too.
    inner: ClassVar[Sequence[str]] = ()
    outer: ClassVar[Sequence[str]] = ("name", "title", "miniature")

    def __post_init__(self) -> None:
        """Refuse what the form refuses."""
        _ = self.declared

    @classmethod
    def gathered(cls, config: Mapping[str, Any]) -> dict[str, Any]:
        """A configuration with everything in `declaration` that is no setting of the class."""
        own = {"_target_", *(one.name for one in fields(cls) if one.init)} - {"declaration"}
        rest = {key: value for key, value in config.items() if key not in own}
        return {key: value for key, value in config.items() if key in own} | {"declaration": rest}

    @property
    def packaged(self) -> str:
        """The task whose YAML declares it, where that of the class's user does not."""
        raise NotImplementedError

    def whole(self) -> dict[str, Any]:
        """The declaration, with the class's own settings in it."""
        own = {name: getattr(self, name) for name in (*self.outer, *self.inner)}
        if "form" in self.declaration:
            return self.declaration | own
        file = OmegaConf.load(CONFIGS / "task" / f"{self.packaged}.yaml")
        whole = OmegaConf.create({"task": OmegaConf.merge(file, self.declaration, own)})  # as its interpolations expect
        return dict(OmegaConf.to_container(whole, resolve=True)["task"])  # type: ignore[index, call-overload, arg-type]

    @cached_property
    def declared(self) -> Task:
        """The declared task."""
        left_out = {"_target_", *self.inner}
        return declared_from({key: value for key, value in self.whole().items() if key not in left_out})

    @cached_property
    def asked(self) -> Task:
        """The declared task as models of a family do it: that of `on`, else the class's."""
        return self.declared.on(self.family)

    def on(self, family: Family) -> Task:
        """The declared task as models of a family do it; within the class where that is one of the user's own."""
        asked = self.declared.on(family)
        if type(self).__module__.partition(".")[0] == PACKAGE:
            return asked
        task = copy.copy(self)
        task.asked = asked
        return task

    @property
    def main_metric(self) -> str:
        """As declared."""
        return self.declared.main_metric

    def metrics(self) -> list[Metric]:
        """As declared."""
        return self.declared.metrics()

    def metric(self, name: str) -> Metric:
        """As the class declares it, else as the declared task does."""
        return next((metric for metric in self.metrics() if metric.name == name), None) or self.declared.metric(name)

    def right_answers(self, references: dict[str, list[Any]]) -> dict[str, list[Any]]:
        """As declared."""
        return self.asked.right_answers(references)

    @property
    def form(self) -> str:
        """The class's name too."""
        return f"{type(self).__name__} {self.asked.form}"

    def longest_input(self, max_length: int) -> int:
        """As declared."""
        return self.asked.longest_input(max_length)

    def head(self) -> Head | None:
        """As declared."""
        return self.asked.head()

    def load(self, tokenizer: PreTrainedTokenizerBase, max_length: int, data: DataConfig) -> TaskData:
        """As declared."""
        return self.asked.load(tokenizer, max_length, data)

    def sources(self) -> list[tuple[Published, str]]:
        """As declared."""
        return self.asked.sources()

    def synthesise(self, shape: Shape) -> list[Example]:
        """As declared."""
        return self.asked.synthesise(shape)

    def predict(self, model: nn.Module, examples: Sequence[Example], run: Inference) -> list[Any]:
        """As declared."""
        return self.asked.predict(model, examples, run)

    def score(self, references: dict[str, list[Any]], predictions: dict[str, list[Any]]) -> dict[str, float]:
        """As declared."""
        return self.asked.score(references, predictions)
