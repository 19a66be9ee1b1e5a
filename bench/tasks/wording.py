"""Templates: text with the names of columns in braces, `Review: {text}`. Nothing in them is run."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from string import Formatter
from typing import Any, TypeVar

from transformers import PreTrainedTokenizerBase

from bench.configuration.schema import Family
from bench.errors import UserError, unknown_name
from bench.identity.digests import row_key
from bench.models.tokenizer import prompt_tokens

T = TypeVar("T")
SHORTENED = b"shortened"  # in a table's metadata: how many of its rows were shortened
MARGIN = 2  # characters beyond its share that a text is shortened by, so that a few rounds suffice


@dataclass(frozen=True)
class Template:
    """A template that was found to be sound.

    Attributes:
        parts: text, and the field behind it (None behind the last).
        others: further wordings of the same; each row has one of them.
    """

    parts: tuple[tuple[str, str | None], ...]
    others: tuple["Template", ...] = ()

    @classmethod
    def of(cls, text: str | Sequence[str], known: Collection[str], key: str) -> "Template":
        """Read `text`.

        Args:
            text: with fields in braces; `{{` and `}}` are braces. Or several such.
            known: the columns that there are.
            key: where it stands, for the message.

        Raises:
            UserError: a brace that is not closed, or a field that is none of `known` or more than a name; wordings
                that end otherwise, or none.
        """
        if not isinstance(text, str):
            if not text:
                raise UserError(f"{key}=[] has no wording; leave it out for the usual one")
            first, *others = [cls.of(one, known, key) for one in text]
            for other in others:
                if other.end != first.end:
                    raise UserError(
                        f"{key}: the answer follows {first.end!r} in one wording and {other.end!r} in another; they "
                        "have to end in the same words"
                    )
            return cls(first.parts, tuple(others))
        try:
            found = list(Formatter().parse(text))
        except ValueError as error:
            raise UserError(f"{key}: {error}; a brace itself is written twice, {{{{") from error
        for _, field, form, conversion in found:
            if field is not None and (form or conversion):
                raise UserError(f"{key}: {{{field}…}} has more than a column's name in it")
            if field is not None and field not in known:
                raise unknown_name(f"column in {key}", field, known)
        return cls(tuple((before, field) for before, field, _, _ in found))

    @property
    def fields(self) -> list[str]:
        """The columns that it takes, each once."""
        return list(dict.fromkeys(field for _, field in self.parts if field is not None))

    @property
    def wordings(self) -> list["Template"]:
        """Itself and the others."""
        return [self, *self.others]

    @property
    def all_fields(self) -> list[str]:
        """The columns that one of the wordings takes, sorted."""
        return sorted({name for one in self.wordings for name in one.fields})

    def which(self, row: Mapping[str, Any]) -> int:
        """The place of a row's wording: the texts decide it, so that it is the same in every run, on every machine."""
        texts = [str(row[name]) for name in self.all_fields]
        return int.from_bytes(row_key(texts)) % len(self.wordings)

    def for_row(self, row: Mapping[str, Any]) -> "Template":
        """The wording of a row."""
        return self.wordings[self.which(row)] if self.others else self

    @property
    def end(self) -> str:
        """What stands behind the last field."""
        last, field = self.parts[-1] if self.parts else ("", None)
        return last if field is None else ""

    def fill(self, row: Mapping[str, Any]) -> str:
        """The text with a row's values."""
        return "".join(before + ("" if field is None else str(row[field])) for before, field in self.parts)


@dataclass(frozen=True)
class Cut:
    """What shortening did. Attributes: tokens, of each row; count, rows that were shortened."""

    tokens: list[list[int]]
    count: int


def fitted(
    tokenizer: PreTrainedTokenizerBase,
    template: Template,
    rows: list[dict[str, Any]],
    longest: int | Sequence[int],
    *,
    opened: bool,
    place: str,
) -> Cut:
    """The tokens of filled templates, with their longest column shortened at its end until they fit.

    What stands around the columns is never cut: an answer follows it.

    Args:
        tokenizer: the model's.
        template: what is filled.
        rows: its columns.
        longest: tokens of each, at most; one number for all, or each row's.
        opened: whether something is to follow, so that what the tokenizer puts behind a text is left out.
        place: the task, for the message.

    Raises:
        UserError: the template alone is longer than that.
    """
    chosen = [template.for_row(row) for row in rows]

    def tokens_of(places: Sequence[int]) -> list[list[int]]:
        texts = [chosen[at].fill(rows[at]) for at in places]
        if opened:
            return prompt_tokens(tokenizer, texts)
        found: list[list[int]] = tokenizer(texts)["input_ids"] if texts else []
        return found

    rows, most = [dict(row) for row in rows], [longest] * len(rows) if isinstance(longest, int) else longest
    tokens = tokens_of(range(len(rows)))
    long = [at for at, row in enumerate(tokens) if len(row) > most[at]]
    count = len(long)
    while long:
        for at in long:
            name = max(chosen[at].fields, key=lambda field: len(str(rows[at][field])), default=None)
            if name is None or not rows[at][name]:
                raise UserError(
                    f"{place}: its prompt alone takes {len(tokens[at])} tokens, and {most[at]} fit; raise "
                    "training.max_length"
                )
            text, excess = str(rows[at][name]), len(tokens[at]) - most[at]
            share = max(1, len(text) * excess // len(tokens[at]))
            rows[at][name] = text[: max(0, len(text) - share - MARGIN)]
        for at, found in zip(long, tokens_of(long), strict=True):
            tokens[at] = found
        long = [at for at in long if len(tokens[at]) > most[at]]
    return Cut(tokens, count)


def rows_of(columns: dict[str, list[Any]]) -> list[dict[str, Any]]:
    """Columns as rows."""
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def answer_tokens(
    tokenizer: PreTrainedTokenizerBase, template: Template, answers: list[str], end: int, *, goes_on: bool
) -> list[list[int]]:
    """The tokens of answers, and the end token behind each.

    Args:
        tokenizer: the model's.
        template: what they are answers to.
        answers: as text.
        end: the end token.
        goes_on: whether they follow the prompt (a decoder), and are cut into tokens as behind its end: a space, unless
            it ends in one, and the answer; else they are texts by themselves.
    """
    if not answers:
        return []
    if not goes_on:
        rows: list[list[int]] = tokenizer(text_target=answers, add_special_tokens=False)["input_ids"]
        return [[*row, end] for row in rows]
    space = "" if template.end[-1:].isspace() or not template.end else " "
    [before] = prompt_tokens(tokenizer, [template.end])
    found = []
    for row in prompt_tokens(tokenizer, [f"{template.end}{space}{answer}" for answer in answers]):
        same = next((at for at, (a, b) in enumerate(zip(row, before, strict=False)) if a != b), len(before))
        found.append([*row[same:], end])
    return found


def target_tokens(
    tokenizer: PreTrainedTokenizerBase, texts: list[str], end: int, longest: int | None
) -> list[list[int]]:
    """The tokens of texts that an encoder-decoder is to write: as its tokenizer has them, and in any case an end token.

    Args:
        tokenizer: the model's.
        texts: what is to be written.
        end: the end token.
        longest: tokens of each, at most, the end token included; None: as many as there are.
    """
    rows: list[list[int]] = tokenizer(text_target=texts)["input_ids"] if texts else []
    ended = (row if row[-1:] == [end] else [*row, end] for row in rows)
    return [row if longest is None or len(row) <= longest else [*row[: longest - 1], end] for row in ended]


def of_family(given: T | Mapping[str, T] | None, family: Family, key: str) -> T | None:
    """Something that may be said for some families alone; None: nothing is said for this one.

    Raises:
        UserError: a key that is no family.
    """
    if not isinstance(given, Mapping):
        return given
    families = [str(each) for each in Family]
    for name in given:
        if name not in families:
            raise unknown_name(f"family in {key}", name, families)
    return given.get(family)
