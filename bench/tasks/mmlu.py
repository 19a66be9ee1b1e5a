"""MMLU, few-shot, after training on Alpaca.

Hendrycks et al. 2021, https://arxiv.org/abs/2009.03300; prompt and scoring as in the authors' code and in QLoRA's
(Dettmers et al. 2023, https://arxiv.org/abs/2305.14314): the answer is the most likely of " A", " B", " C", " D". Where
a tokenizer cuts these into several tokens, whole continuations are compared.
"""

import copy
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from torch import nn
from transformers import PreTrainedTokenizerBase

from bench.configuration.schema import DataConfig, Family
from bench.data.example import Example, Examples
from bench.data.published import ALPACA, MMLU, Published
from bench.data.source import Located, locate
from bench.data.synthetic import Shape, continuation, translation
from bench.data.token_cache import cached, from_outside, tokenizer_fingerprint
from bench.errors import UserError, unknown_name
from bench.evaluation.answers import Answers, answers_after
from bench.evaluation.inference import Inference
from bench.evaluation.label_words import likeliest, word_tokens
from bench.evaluation.multiple_choice import choose
from bench.records.metric import Metric, known_metric
from bench.tasks.alpaca import alpaca_table, rows_left_out
from bench.tasks.base import Split, Task, TaskData
from bench.tasks.few_shot import END, LETTERS, Row, prompt_table


@dataclass(kw_only=True)
class Mmlu(Task):
    """Choose one of four answers.

    Attributes:
        shots: examples of the subject's dev questions in front of each question.
        prompt_length: the model's context; examples that overflow it are dropped from the front, and counted.
        subjects: these only; null: all.
        train_split: of Alpaca.
    """

    shots: int
    prompt_length: int
    subjects: list[str] | None
    train_split: str

    family: ClassVar[Family] = Family.decoder
    asked: Family = field(init=False, default=Family.decoder)  # the family that the task is done by

    def __post_init__(self) -> None:
        """Refuse numbers that make no prompt."""
        self.check_numbers(shots=(0, 100), prompt_length=(16, 10_000_000))
        if self.subjects is not None and not self.subjects:
            raise UserError("task.subjects=[] names no subject; null takes all")

    def on(self, family: Family) -> Task:
        """Decoders go on from the prompt; encoder-decoders read it and write the letter."""
        if family != Family.encoder_decoder:
            return super().on(family)
        task = copy.copy(self)
        task.asked = family
        return task

    @property
    def form(self) -> str:
        """What is learnt, and how."""
        return f"{type(self).__name__} {self.asked}"

    @property
    def main_metric(self) -> str:
        """Accuracy averaged over subjects, as QLoRA's code reports it."""
        return "accuracy_macro"

    def metrics(self) -> list[Metric]:
        """Accuracy over subjects and over questions."""
        return [known_metric("accuracy_macro"), known_metric("accuracy_micro")]

    def right_answers(self, references: dict[str, list[Any]]) -> dict[str, list[Any]]:
        """The answers, without their subjects."""
        return {split: [answer for _, answer in pairs] for split, pairs in references.items()}

    def longest_input(self, max_length: int) -> int:
        """Prompts are longer than the training examples."""
        return max(max_length, self.prompt_length)

    def sources(self) -> list[tuple[Published, str]]:
        """Alpaca to train on, and MMLU's examples and questions."""
        return [(ALPACA, self.train_split), (MMLU, "dev"), (MMLU, "validation"), (MMLU, "test")]

    def synthesise(self, shape: Shape) -> list[Example]:
        """Random texts whose second half is to be predicted, or each with another to be written."""
        return continuation(shape) if self.asked == Family.decoder else translation(shape)

    def load(self, tokenizer: PreTrainedTokenizerBase, max_length: int, data: DataConfig) -> TaskData:
        """Alpaca to train on; MMLU's validation and test questions with the dev questions as examples."""
        room = self._room(tokenizer)
        train, alpaca_revision = alpaca_table(
            tokenizer, max_length, data, self.train_split, miniature=self.miniature, family=self.asked
        )
        read = [(source, name) for source, name in self.sources()[1:] if not (data.selects and name == "test")]
        (_, dev), *splits = ((name, locate(source, name, data, self.miniature)) for source, name in read)
        tables = {
            name: self._prompts(tokenizer, dev, found, self.prompt_length - room, data.limit_evaluation)
            for name, found in splits
        }
        return TaskData(
            train=Examples(train, train.column_names),
            validation={"validation": _split(tables["validation"])},
            test=None if data.selects else {"test": _split(tables["test"])},
            revisions={f"{ALPACA.name}/{self.train_split}": alpaca_revision}
            | {f"{MMLU.name}/{name}": found.fingerprint for name, found in (("dev", dev), *splits)},
            notes={
                "few_shot_examples_dropped": sum(sum(t.column("dropped").to_pylist()) for t in tables.values()),
                "instructions_too_long": rows_left_out(train),
            },
            scored_on={"split": "validation"} if data.selects else None,
        )

    def _room(self, tokenizer: PreTrainedTokenizerBase) -> int:
        """Tokens that a model is given behind a prompt to be asked about an answer.

        Raises:
            UserError: the tokenizer cannot tell the letters apart, and cannot do the task.
        """
        if self.asked == Family.decoder:
            return letters(tokenizer).room
        word_tokens(tokenizer, LETTERS)
        return 0

    def _prompts(
        self, tokenizer: PreTrainedTokenizerBase, dev: Located, found: Located, longest: int, limit: int | None
    ) -> pa.Table:
        def build() -> pa.Table:
            questions = self._of_interest(found)
            solved, goes_on = self._of_interest(dev), self.asked == Family.decoder
            return prompt_table(tokenizer, questions[:limit], solved, self.shots, longest, goes_on=goes_on)

        subjects = sorted(self.subjects) if self.subjects is not None else None
        key = ["mmlu", dev.key, found.key, tokenizer_fingerprint(tokenizer)]
        return cached([*key, self.asked, self.shots, longest, subjects, limit, from_outside(self)], build)

    def _of_interest(self, found: Located) -> list[Row]:
        """The rows of the subjects that are asked for.

        Raises:
            UserError: there is no such subject.
        """
        rows: list[Row] = found.rows().to_pylist()
        if self.subjects is None:
            return rows
        known = {row["subject"] for row in rows}
        for subject in self.subjects:
            if subject not in known:
                raise unknown_name("subject", subject, known)
        return [row for row in rows if row["subject"] in self.subjects]

    def predict(self, model: nn.Module, examples: Sequence[Example], run: Inference) -> list[Any]:
        """The index of the chosen answer."""
        if self.asked == Family.encoder_decoder:
            return likeliest(model, examples, run, word_tokens(run.tokenizer, LETTERS))
        return choose(model, examples, run, letters(run.tokenizer))

    def score(self, references: dict[str, list[Any]], predictions: dict[str, list[Any]]) -> dict[str, float]:
        """Accuracy over subjects (macro) and over questions (micro) of the first split."""
        split = next(iter(references))
        by_subject = self.breakdown(references, predictions)
        right = [answer == choice for (_, answer), choice in zip(references[split], predictions[split], strict=True)]
        return {"accuracy_macro": float(np.mean(list(by_subject.values()))), "accuracy_micro": float(np.mean(right))}

    def breakdown(self, references: dict[str, list[Any]], predictions: dict[str, list[Any]]) -> dict[str, float]:
        """Accuracy of each subject."""
        split = next(iter(references))
        right: dict[str, list[bool]] = defaultdict(list)
        for (subject, answer), choice in zip(references[split], predictions[split], strict=True):
            right[subject].append(answer == choice)
        return {subject: float(np.mean(hits)) for subject, hits in sorted(right.items())}


def letters(tokenizer: PreTrainedTokenizerBase) -> Answers:
    """What follows "Answer:" for each answer: a space and a letter.

    Raises:
        UserError: the tokenizer cannot tell them apart.
    """
    return answers_after(tokenizer, END, [f" {letter}" for letter in LETTERS])


def _split(table: pa.Table) -> Split:
    """Prompts, and subject and answer of each as the reference."""
    answers = zip(table.column("subject").to_pylist(), table.column("answer").to_pylist(), strict=True)
    return Split(Examples(table, ("input_ids", "group")), list(answers))
