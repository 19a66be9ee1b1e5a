"""A text that the training has not: from a file to windows of tokens, and what of it the training has after all."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from transformers import PreTrainedTokenizerBase

from bench.data.columns import check_names
from bench.data.content import content_of, digest_of
from bench.data.example import Example, Examples
from bench.data.json_lines import BYTE_ORDER_MARK, read_json_lines
from bench.errors import UserError
from bench.models.tokenizer import prompt_tokens

FEWEST = 100  # tokens that are predicted; the perplexity of fewer says little
RUN = 13  # tokens in common that make a piece known; the length of Brown et al. 2020, https://arxiv.org/abs/2005.14165
SHORTEST = 5  # tokens of a piece that is looked for; shorter ones are anywhere
FACTOR = np.uint64(0x9E3779B97F4A7C15)  # odd, so that no product loses a bit


@dataclass(frozen=True)
class HeldText:
    """A text, ready to be read by a model.

    Attributes:
        windows: `input_ids` of each; what the tokenizer puts in front of a text stands in front of all.
        window: tokens of one, at most.
        digest: SHA-256 of the file's bytes, in hexadecimal digits.
        pieces: lines of a .txt file, rows of a .jsonl one, without blank ones.
        overlap: how many of these share a run of tokens with a training row.
    """

    windows: list[Example]
    window: int
    digest: str
    pieces: int
    overlap: int = 0

    @property
    def tokens(self) -> int:
        """That are predicted: of each window all but the first."""
        return sum(len(example["input_ids"]) - 1 for example in self.windows)


def read_held_text(
    file: Path, column: str, tokenizer: PreTrainedTokenizerBase, window: int, train: Sequence[Example]
) -> HeldText:
    """Cut a text into windows that do not overlap; of a .jsonl file none reaches into another row.

    Args:
        file: .txt, one text; or .jsonl, a text in each row.
        column: of a .jsonl file, the one with the texts.
        tokenizer: the model's.
        window: tokens of a window, at most.
        train: the training examples, to compare with.

    Raises:
        UserError: no such file, one of another kind, or too little text.
    """
    digest = digest_of(file)
    content = content_of(file, digest)
    if file.suffix == ".txt":
        text = _decoded(content, file)
        texts, pieces = [text], text.splitlines()
    elif file.suffix == ".jsonl":
        texts = pieces = _of_column(content, file, column)
    else:
        raise UserError(f"forgetting_text={file} is neither .txt nor .jsonl")
    texts, pieces = ([one for one in some if one.strip()] for some in (texts, pieces))
    windows = [example for text in texts for example in _windows(text, tokenizer, window)]
    overlap = _known([_tokens(tokenizer, piece) for piece in pieces], train)
    held = HeldText(windows, window, digest.hex(), len(pieces), overlap)
    if held.tokens < FEWEST:
        raise UserError(
            f"forgetting_text={file} has {held.tokens} tokens to predict; a perplexity needs {FEWEST} or more"
        )
    return held


def _decoded(content: bytes, file: Path) -> str:
    try:
        return content.removeprefix(BYTE_ORDER_MARK).decode("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{file}: not UTF-8 at byte {error.start}; save it as UTF-8") from error


def _of_column(content: bytes, file: Path, column: str) -> list[str]:
    lines = read_json_lines(content, file, [column])
    check_names(lines.header, [column], str(file))
    for number, value in zip(lines.numbers, lines.columns[column], strict=True):
        if not isinstance(value, str):
            raise UserError(f"{file}, row {number}: '{column}' is no text")
    return lines.columns[column]


def _tokens(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    """Without special ones."""
    return list(tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])


def _windows(text: str, tokenizer: PreTrainedTokenizerBase, window: int) -> list[Example]:
    tokens = _tokens(tokenizer, text)
    (whole,) = prompt_tokens(tokenizer, [text])
    front = whole[: len(whole) - len(tokens)]
    size = max(1, window - len(front))
    found = [[*front, *tokens[begin : begin + size]] for begin in range(0, len(tokens), size)]
    return [{"input_ids": row} for row in found if len(row) > 1]


def _known(pieces: Sequence[list[int]], train: Sequence[Example]) -> int:
    """How many pieces share a run of `RUN` tokens with the training rows, shorter ones all but the first token.

    The first token may be another where a blank or a line stands in front of it.
    """
    seen = _all_tokens(train)
    by_length: dict[int, list[list[int]]] = {}
    for piece in pieces:
        if len(piece) >= SHORTEST:
            by_length.setdefault(min(RUN, len(piece) - 1), []).append(piece[1:])
    count = 0
    for length, of_length in by_length.items():
        runs = [_runs(np.asarray(piece), length) for piece in of_length]
        borders = np.cumsum([0, *map(len, runs[:-1])])
        found = np.isin(np.concatenate(runs), _runs(seen, length))
        count += int(np.logical_or.reduceat(found, borders).sum())
    return count


def _all_tokens(examples: Sequence[Example]) -> np.ndarray:
    if isinstance(examples, Examples):
        return examples.column("input_ids")
    return np.concatenate([np.asarray(example["input_ids"], dtype=np.int64) for example in examples])


def _runs(tokens: np.ndarray, length: int) -> np.ndarray:
    """A number for each run of `length` tokens, `(tokens − length + 1,)`, equal for equal runs."""
    count = max(0, len(tokens) - length + 1)
    numbers = np.zeros(count, dtype=np.uint64)
    for at in range(length):
        numbers = numbers * FACTOR + tokens[at : at + count].astype(np.uint64)
    return numbers
