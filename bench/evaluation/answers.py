"""What a decoder would have to write for each answer: the tokens that follow a prompt."""

from collections.abc import Sequence
from dataclasses import dataclass

from transformers import PreTrainedTokenizerBase

from bench.errors import UserError
from bench.models.tokenizer import unknown_token


@dataclass(frozen=True)
class Answers:
    """The continuations of a prompt that are compared, in tokens.

    Attributes:
        replaced: how many tokens at a prompt's end the answers change; 0 unless the tokenizer joins a prompt's end
            with what follows.
        begin: what all answers begin with; a space, where the tokenizer cuts " A" into two.
        rest: of each answer, what comes then. One token each where the answers differ in one.
    """

    replaced: int
    begin: list[int]
    rest: list[list[int]]

    @property
    def differ_in_one_token(self) -> bool:
        """Whether the next token decides."""
        return all(len(tokens) == 1 for tokens in self.rest)

    @property
    def room(self) -> int:
        """How many tokens a model sees after the prompt at most."""
        return len(self.begin) + max(len(tokens) for tokens in self.rest) - 1 - self.replaced

    def after(self, prompt: list[int]) -> list[int]:
        """The prompt, up to where the answers part."""
        return [*prompt[: len(prompt) - self.replaced], *self.begin]


def answers_after(tokenizer: PreTrainedTokenizerBase, end: str, answers: Sequence[str]) -> Answers:
    """The tokens that `answers` become behind prompts that end in the text `end`.

    They are found within the text: many tokenizers cut a letter on its own otherwise than behind a space or a colon.

    Raises:
        UserError: the tokenizer cannot tell the answers apart.
    """
    before = _tokens(tokenizer, end)
    texts = [_tokens(tokenizer, end + answer) for answer in answers]
    kept = _common([before, *texts])
    tails = [text[kept:] for text in texts]
    shared = _common(tails)
    if any(len(tail) == shared for tail in tails):  # an answer that another goes on from keeps a token of its own
        shared = max(0, shared - 1)
    rest = [tail[shared:] for tail in tails]
    unknown = unknown_token(tokenizer)
    if (
        len({tuple(tokens) for tokens in rest}) < len(rest)
        or not all(rest)
        or any(unknown in tokens for tokens in rest)
    ):
        words = ", ".join(answer.strip() for answer in answers)
        raise UserError(f"the tokenizer of {tokenizer.name_or_path} cannot tell the answers {words} apart")
    return Answers(len(before) - kept, tails[0][:shared], rest)


def _tokens(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def _common(rows: Sequence[list[int]]) -> int:
    """How many tokens all rows begin with."""
    shortest = min(len(row) for row in rows)
    return next((at for at in range(shortest) if len({row[at] for row in rows}) > 1), shortest)
