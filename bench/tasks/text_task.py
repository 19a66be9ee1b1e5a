"""One text or two, of which a label or a number is to be said: their columns, their prompt, their tokens for a head."""

from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from transformers import PreTrainedTokenizerBase

from bench.configuration.schema import Family
from bench.data.columns import Rules
from bench.data.selection import Strata
from bench.data.token_cache import encode
from bench.errors import UserError
from bench.models.head import Head
from bench.tasks.declared import Declared
from bench.tasks.wording import SHORTENED, Template, fitted, of_family, rows_of

ROWS = pa.list_(pa.int32())


@dataclass(kw_only=True)
class TextTask(Declared):
    """One text or two, and one thing to be said of them.

    Attributes:
        label: the column with what is to be said.
    """

    label: str

    def __post_init__(self) -> None:
        """Refuse more than two texts, and prompts that ask for columns that are none of them."""
        super().__post_init__()
        if not self.texts or len(set(self.texts)) < len(self.texts):
            raise UserError(f"task.text={self.text} must name a column, or several different ones")
        if self.label in self.texts:
            raise UserError(f"task.label={self.label} is one of the texts")
        for family in Family:
            if isinstance(self.prompt, str) or (self.prompt is not None and family in self.prompt):
                self.template(family)

    def rules(self) -> Rules:
        """Texts, empty only where that is said, and the label."""
        return {**self.text_rules(), self.label: self.label_rule()}

    @property
    def strata(self) -> Strata:
        """The label: what it is called, or the ranges of a number."""
        return Strata(self.label, getattr(self, "names", None))

    def label_rule(self) -> Any:
        """The rule of the column `label`."""
        raise NotImplementedError

    def head(self) -> Head | None:
        """Of so many labels as there are."""
        raise NotImplementedError

    def template(self, family: Family, *, to_answer: bool = False) -> Template | None:
        """The text that a model of a family is given; None: the columns by themselves, as its tokenizer joins them.

        Args:
            family: of the model.
            to_answer: whether something is to be written behind it.
        """
        given = of_family(self.prompt, family, "task.prompt") if self.prompt is not None else None
        if given is None and family == Family.encoder:
            if len(self.texts) > 2:
                raise UserError(f"task.text={self.text}: an encoder joins two texts at most; say task.prompt")
            return None
        if given is None:
            named = [f"{name}: {{{name}}}" for name in self.texts] if len(self.texts) > 1 else [f"{{{self.texts[0]}}}"]
            given = "\n".join([*named, f"{self.label}:"] if to_answer else named)
        return Template.of(given, self.texts, "task.prompt")

    def with_head(
        self, tokenizer: PreTrainedTokenizerBase, rows: pa.Table, max_length: int, kind: pa.DataType
    ) -> pa.Table:
        """Tokens of the texts, and the label as it is."""
        assert self.asked is not None
        template, shortened = self.template(self.asked), 0

        def tokenise(some: dict[str, list[Any]]) -> dict[str, list[Any]]:
            nonlocal shortened
            labels = some[self.label]
            if template is None:
                texts = [some[name] for name in self.texts]
                options: dict[str, Any] = {"max_length": max_length, "return_attention_mask": False}
                return {**tokenizer(*texts, truncation=True, **options), "labels": labels}
            cut = fitted(tokenizer, template, rows_of(some), max_length, opened=False, place=f"task '{self.name}'")
            shortened += cut.count
            return {"input_ids": cut.tokens, "labels": labels}

        names = ["input_ids"]
        if template is None:
            names = [name for name in tokenizer.model_input_names if name != "attention_mask"]
        schema = pa.schema([*((name, ROWS) for name in names), ("labels", kind)])
        table = encode(rows, tokenise, schema)
        return table.replace_schema_metadata({SHORTENED: str(shortened)})

    def references(self, table: pa.Table) -> list[Any]:
        """The labels."""
        found: list[Any] = table.column("reference" if "reference" in table.column_names else "labels").to_pylist()
        return found
