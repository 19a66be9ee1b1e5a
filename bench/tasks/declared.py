"""What all tasks have in common that are declared in YAML alone: how their rows are loaded, and how they are scored.

`form` says which kind of task it is (`bench.tasks.build.FORMS`); each has a file of its own.
"""

import itertools
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
from transformers import PreTrainedTokenizerBase

from bench.configuration.schema import DataConfig, Family
from bench.data.declared import all_splits
from bench.data.example import Example, Examples
from bench.data.published import Published
from bench.data.selection import SELECTION
from bench.data.source import Located
from bench.data.synthetic import Shape, continuation, translation
from bench.data.token_cache import cached, from_outside, tokenizer_fingerprint
from bench.records.metric import Metric
from bench.tasks.base import Split, TaskData
from bench.tasks.declaration import Declaration
from bench.tasks.declared_rows import rows_for
from bench.tasks.instructions import counts_of
from bench.tasks.wording import SHORTENED, Template, of_family

NOT_IN_KEY = frozenset({"name", "title", "scored_by", "miniature"})  # these change nothing of a task's tokens
PROMPT = "reference_prompt"  # of a row that is scored, which of several prompts it has


@dataclass(kw_only=True)
class Declared(Declaration):
    """A task that is declared in YAML, see `Declaration`; a form says how its rows become tokens."""

    def synthesise(self, shape: Shape) -> list[Example]:
        """Random texts, each with another to be written, or with their own second half."""
        return translation(shape) if self.asked == Family.encoder_decoder else continuation(shape)

    @abstractmethod
    def tokens(self, tokenizer: PreTrainedTokenizerBase, rows: pa.Table, max_length: int, *, train: bool) -> pa.Table:
        """The tokens of some rows, to be trained on or to be asked; shortened rows are counted in the metadata."""

    @abstractmethod
    def references(self, table: pa.Table) -> list[Any]:
        """Of a table of `tokens`, what predictions are compared with."""

    def sources(self) -> list[tuple[Published, str]]:
        """The repositories' splits; files of one's own are there already."""
        rules = self.rules()
        found: list[tuple[Published, str]] = []
        if self.source.hub is not None:
            roles = self.roles(None)
            if self.source.holdout is not None:
                roles = {**roles, "train": [self.source.train_split], "validation": []}
            found += [(self.source.published(rules), split) for split in all_splits(roles)]
        if self.lesson is not None and self.lesson.hub is not None:
            asked = rules if self.instructions is None else self.instructions.rules()
            found.append((self.lesson.published(asked), self.lesson.train_split))
        return found + [(one.source.published(rules), one.split) for one in self.sets if one.source.hub is not None]

    def load(self, tokenizer: PreTrainedTokenizerBase, max_length: int, data: DataConfig) -> TaskData:
        """Read, check and tokenise all splits."""
        rows = rows_for(self, data)
        revisions: dict[str, str] = {}
        notes: dict[str, Any] = {"answer": str(self.way), "texts_shortened": {}}

        def read(name: str, located: Located, *, train: bool = False) -> pa.Table:
            if name != SELECTION:  # a share of train, which is named already
                revisions[name] = located.fingerprint
            limit = data.limit_train if train else data.limit_evaluation

            def made() -> pa.Table:
                some = located.rows().slice(0, limit)
                table = self.tokens(tokenizer, some, max_length, train=train)
                return table if train else self._told_apart(table, some)

            table = self._cached(tokenizer, located, [max_length, limit, train], made)
            if count := int((table.schema.metadata or {}).get(SHORTENED, b"0")):
                notes["texts_shortened"][name] = count
            return table

        if self.instructions is not None:
            revisions["train"] = rows.train.fingerprint
            train = self._cached(
                tokenizer, rows.train, [max_length, data.limit_train],
                lambda: self._instructed(tokenizer, rows.train, max_length, data.limit_train),
            )  # fmt: skip
            notes |= counts_of(train)
        else:
            train = read("train", rows.train, train=True)
        splits = {
            role: {name: self._split(read(name, located)) for name, located in found.items()}
            for role, found in (("validation", rows.validation), ("test", rows.test))
        }
        assert self.asked is not None
        if not isinstance(prompts := of_family(self.prompt, self.asked, "task.prompt"), str | None):
            notes["prompts"] = f"each row has one of {len(prompts)}"
        notes |= self.notes(tokenizer)
        test = splits["test"] or None
        return TaskData(_examples(train), splits["validation"], test, revisions, notes, rows.scored_on)

    def _told_apart(self, table: pa.Table, rows: pa.Table) -> pa.Table:
        """The tokens of rows that are scored, with the place of each row's prompt where it has one of several."""
        assert self.asked is not None
        given = of_family(self.prompt, self.asked, "task.prompt")
        if isinstance(given, str | None):
            return table
        prompts = Template.of(given, rows.column_names, "task.prompt")
        places = [prompts.which(row) for row in rows.select(prompts.all_fields).to_pylist()]
        return table.append_column(PROMPT, pa.array(places, pa.int64()))

    def _instructed(
        self, tokenizer: PreTrainedTokenizerBase, located: Located, max_length: int, limit: int | None
    ) -> pa.Table:
        assert self.instructions is not None
        assert self.asked is not None
        rows = located.rows().slice(0, limit)
        return self.instructions.tokens(tokenizer, rows, max_length, self.asked, f"task '{self.name}'")

    def notes(self, tokenizer: PreTrainedTokenizerBase) -> dict[str, Any]:
        """What a reader of the scores must know, beside the way of answering."""
        return {}

    def _cached(
        self, tokenizer: PreTrainedTokenizerBase, located: Located, asked: list[Any], build: Callable[[], pa.Table]
    ) -> pa.Table:
        settings = {key: value for key, value in asdict(self).items() if key not in NOT_IN_KEY}
        key = [type(self).__name__, settings, located.key, *asked]
        return cached([*key, tokenizer_fingerprint(tokenizer), from_outside(self)], build)

    def _split(self, table: pa.Table) -> Split:
        parts = None
        if PROMPT in table.column_names:
            parts = [f"prompt_{place + 1}" for place in table.column(PROMPT).to_pylist()]
        return Split(_examples(table), self.references(table), parts)

    def score(self, references: dict[str, list[Any]], predictions: dict[str, list[Any]]) -> dict[str, float]:
        """Every metric of the first split, and of further ones with what tells their names from the first's.

        Of the sets in `tested_on`: the mean over them, and each one's.
        """
        first = next(iter(references), "")
        each = {
            split: {one.metric.name: one.score(self.seen_by(one, right), predictions[split]) for one in self.scorers}
            for split, right in references.items()
        }
        if self.sets and set(each) == {one.name for one in self.sets}:
            means = {name: float(np.mean([scores[name] for scores in each.values()])) for name in each[first]}
            return means | {
                f"{name}_{split}": value for split, scores in each.items() for name, value in scores.items()
            }
        return {
            f"{name}{_suffix(first, split)}": value for split, values in each.items() for name, value in values.items()
        }

    def metrics(self) -> list[Metric]:
        """Those that the YAML names, of a repository's further splits for validation too."""
        splits = [] if self.source.hub is None else self.source.declared_splits(None).get("validation", [])
        suffixes, named = [_suffix(splits[0], split) for split in splits[1:]], super().metrics()
        return [replace(one, name=f"{one.name}{suffix}") for suffix in ("", *suffixes) for one in named]


def _suffix(first: str, split: str) -> str:
    """What tells the metrics of a split from those of the first: `_mismatched`."""
    return "" if split == first else f"_{split.removeprefix(_common(first, split))}"


def _common(first: str, other: str) -> str:
    """The words that both names begin with, and the underscore behind them: `validation_`."""
    words = zip(first.split("_"), other.split("_"), strict=False)
    same = list(itertools.takewhile(lambda pair: pair[0] == pair[1], words))
    return "".join(f"{word}_" for word, _ in same)


def _examples(table: pa.Table) -> Examples:
    """What the model is given: lists of tokens, labels and groups; text stays in the table."""
    names = [name for name in table.column_names if not pa.types.is_string(table.schema.field(name).type)]
    return Examples(table, [name for name in names if not name.startswith("reference")])
