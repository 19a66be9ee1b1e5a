"""Choose among words with an encoder-decoder: the one that it would most likely write."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from bench.data.example import Example
from bench.evaluation.batching import in_batches
from bench.evaluation.inference import Inference


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
