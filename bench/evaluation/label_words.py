"""Choose among words with an encoder-decoder: the one that it would most likely write."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedTokenizerBase

from bench.data.example import Example
from bench.errors import UserError
from bench.evaluation.batching import in_batches
from bench.evaluation.inference import Inference
from bench.models.tokenizer import end_token, unknown_token


def word_tokens(tokenizer: PreTrainedTokenizerBase, words: Sequence[str]) -> list[list[int]]:
    """What an encoder-decoder writes for each word: its tokens and the end token.

    Raises:
        UserError: the tokenizer cannot tell two of them apart, or does not know one.
    """
    end, unknown = end_token(tokenizer), unknown_token(tokenizer)
    rows: list[list[int]] = tokenizer(text_target=list(words), add_special_tokens=False)["input_ids"]
    for word, row in zip(words, rows, strict=True):
        if not row or unknown in row:
            raise UserError(f"the tokenizer of {tokenizer.name_or_path} does not know the word {word!r}")
        if rows.count(row) > 1:
            raise UserError(f"the tokenizer of {tokenizer.name_or_path} cannot tell {word!r} from another of the words")
    return [[*row, end] for row in rows]


@torch.inference_mode()
def likeliest(model: nn.Module, examples: Sequence[Example], run: Inference, words: Sequence[list[int]]) -> list[int]:
    """For each example, in their order, the index of the word with the highest log-probability, its end token's in it.

    The encoder runs once for a batch, the decoder once for each word.

    Args:
        model: an encoder-decoder, possibly wrapped by a method.
        examples: inputs; their labels are not looked at.
        run: padding and the limits of a batch.
        words: the tokens of each, the end token behind them.
    """
    choices = [0] * len(examples)
    longest = max(len(word) for word in words)
    for places, batch in in_batches(model, examples, run.padding, run.batch_size, tokens=run.tokens, extra=longest):
        batch.pop("labels", None)
        rows = len(places)
        scores = torch.empty(rows, len(words))
        with encoder_once(model):
            for index, word in enumerate(words):
                labels = torch.tensor([word] * rows, device=batch["input_ids"].device)
                likely = model(**batch, labels=labels).logits.float().log_softmax(dim=-1)
                scores[:, index] = likely.gather(2, labels.unsqueeze(2)).sum(dim=(1, 2)).cpu()
        for place, choice in zip(places, scores.argmax(dim=1).tolist(), strict=True):
            choices[place] = choice
    return choices


@contextmanager
def encoder_once(model: nn.Module) -> Iterator[None]:
    """Within the block, what the encoder gave at its first call it gives at every one: the inputs are the same."""
    encoder: Any = model.get_encoder()  # type: ignore[operator]
    own, forward, given = vars(encoder).get("forward"), encoder.forward, list[Any]()

    def remembered(*args: Any, **kwargs: Any) -> Any:
        if not given:
            given.append(forward(*args, **kwargs))
        return given[0]

    encoder.forward = remembered
    try:
        yield
    finally:
        del encoder.forward
        if own is not None:  # a library's or a method's, put on this one module
            encoder.forward = own
