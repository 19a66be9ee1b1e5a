"""Whether the tokens of a task's data are the model's: rows of the embedding, segments, words that nobody knows."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from transformers import PretrainedConfig, PreTrainedTokenizerBase

from bench.configuration.schema import Family
from bench.data.example import Example, Examples
from bench.errors import UserError
from bench.models.tokenizer import ordinary_tokens, unknown_token

MUCH = 0.05  # unknown tokens of all; above, a reader of the scores is told
SPARE = 0.1  # of the embedding's rows without a token; published models have fewer
SEGMENTS = "token_type_ids"


@dataclass(frozen=True)
class Known:
    """What the check of a task's tokens found.

    Attributes:
        segments: whether the model is given the tokenizer's segment ids.
        unknown: by split, the share of unknown tokens among those that are not special.
        warnings: what a reader of the scores must know, one line each.
    """

    segments: bool
    unknown: dict[str, float]
    warnings: list[str]


def check_tokens(
    splits: Mapping[str, Sequence[Example]],
    tokenizer: PreTrainedTokenizerBase,
    architecture: PretrainedConfig,
    family: Family,
    rows: int,
) -> Known:
    """Compare the tokens of every split with the model that is to read them.

    Args:
        splits: the examples by the split's name.
        tokenizer: that cut them.
        architecture: of the model.
        family: of the model.
        rows: of the model's embedding.

    Raises:
        UserError: there are tokens or segments that the model does not have.
    """
    _check_vocabulary(tokenizer, rows)
    for name, examples in splits.items():
        for column in ("input_ids", "labels"):
            _check_ids(_tokens(examples, column), tokenizer, rows, f"the split '{name}' ({column})")
    columns = ("input_ids", "labels") if family == Family.encoder_decoder else ("input_ids",)
    unknown = {
        name: unknown_share(np.concatenate([_tokens(examples, column) for column in columns]), tokenizer)
        for name, examples in splits.items()
    }
    told = [
        f"{share:.1%} of the tokens of the split '{name}' are unknown to the tokenizer"
        for name, share in unknown.items()
        if share > MUCH
    ]
    return Known(_segments(splits, architecture), unknown, [*told, *_doubts(tokenizer, architecture, family, rows)])


def unknown_share(tokens: np.ndarray, tokenizer: PreTrainedTokenizerBase) -> float:
    """The share of unknown tokens among `tokens` that are not special; 0 for a tokenizer that knows all text."""
    unknown = unknown_token(tokenizer)
    others = {index for name, index in _named(tokenizer).items() if name != "unk_token" and index is not None}
    if unknown is None or unknown in others:  # GPT-2 names its end token so, and cuts everything into bytes
        return 0.0
    text = tokens[~np.isin(tokens, [*others])]
    return float(np.mean(text == unknown)) if len(text) else 0.0


def _check_vocabulary(tokenizer: PreTrainedTokenizerBase, rows: int) -> None:
    known = ordinary_tokens(tokenizer)
    beyond = [token for token, index in known.items() if index >= rows]
    if beyond:
        raise UserError(
            f"the tokenizer of {tokenizer.name_or_path} is another model's: its vocabulary has {len(known)} tokens, "
            f"{len(beyond)} of them ({beyond[0]!r}, …) beyond the {rows} rows of the model's embedding"
        )


def _check_ids(ids: np.ndarray, tokenizer: PreTrainedTokenizerBase, rows: int, where: str) -> None:
    if not len(ids):
        return
    low, high = int(ids.min()), int(ids.max())
    if low < 0:
        raise UserError(f"{where} has the token {low}; tokens are numbered from 0")
    if high >= rows:
        token = tokenizer.convert_ids_to_tokens(high)
        raise UserError(
            f"{where} has the token {token!r} (id {high}), and the embedding of the model has {rows} rows; the "
            f"tokenizer of {tokenizer.name_or_path} is another model's, or the token was added without widening it"
        )


def _segments(splits: Mapping[str, Sequence[Example]], architecture: PretrainedConfig) -> bool:
    """Whether to pass segments: not to a model that has none, or but one kind.

    Raises:
        UserError: the model has fewer kinds than the tokenizer numbers.
    """
    kinds = int(getattr(architecture, "type_vocab_size", 0) or 0)
    if kinds <= 1:
        return False
    for name, examples in splits.items():
        numbers = _column(examples, SEGMENTS)
        if len(numbers) and int(numbers.max()) >= kinds:
            raise UserError(
                f"the split '{name}' has the segment {int(numbers.max())} (token_type_ids), and the model knows "
                f"{kinds} (type_vocab_size), from 0; the tokenizer is another model's"
            )
    return True


def _doubts(tokenizer: PreTrainedTokenizerBase, architecture: PretrainedConfig, family: Family, rows: int) -> list[str]:
    """Signs that the tokenizer is another model's, none of which is proof."""
    doubts = []
    used = 1 + max(tokenizer.get_vocab().values())
    if rows - used > max(SPARE * rows, 512):  # byte models have hundreds of rows to spare
        doubts.append(f"the tokenizer has {used} tokens, the model's embedding {rows} rows: is it another model's?")
    # A decoder's padding token is often another one: it is masked, and no position depends on it.
    for name in ("bos_token", "eos_token", *(("pad_token",) if family == Family.encoder else ())):
        index, meant = _named(tokenizer)[name], getattr(architecture, f"{name}_id", None)
        those = [one for one in (meant if isinstance(meant, list) else [meant]) if isinstance(one, int)]
        if index is not None and those and all(0 <= one < rows for one in those) and index not in those:
            told = ", ".join(map(str, those))
            doubts.append(
                f"{name} is {index} in the tokenizer and {told} in the model's config.json: is it another model's?"
            )
    return doubts


def _named(tokenizer: PreTrainedTokenizerBase) -> dict[str, int | None]:
    names = ("unk_token", "bos_token", "eos_token", "pad_token", "cls_token", "sep_token", "mask_token")
    return {name: getattr(tokenizer, f"{name}_id") for name in names}


def _tokens(examples: Sequence[Example], column: str) -> np.ndarray:
    """The column's tokens one after another, without labels that do not count; none where it holds no lists."""
    if len(examples) == 0 or not isinstance(examples[0].get(column), list):
        return np.empty(0, dtype=np.int64)
    values = _column(examples, column)
    return values[values >= 0] if column == "labels" else values


def _column(examples: Sequence[Example], name: str) -> np.ndarray:
    if isinstance(examples, Examples):
        return examples.column(name)
    found = (example.get(name, []) for example in examples)
    values: Iterable[float] = (value for one in found for value in (one if isinstance(one, list) else [one]))
    return np.fromiter(values, dtype=np.float64).astype(np.int64)
