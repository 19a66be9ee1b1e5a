"""Translate with an encoder-decoder, by beam search."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from bench.data.example import Example
from bench.evaluation.batching import in_batches
from bench.evaluation.inference import Inference


@torch.inference_mode()
def translate(
    model: nn.Module, examples: Sequence[Example], run: Inference, beams: int, max_new_tokens: int
) -> list[str]:
    """The translation of each example, in their order.

    Args:
        model: an encoder-decoder, possibly wrapped by a method.
        examples: sources; their labels are not looked at.
        run: tokenizer, padding, and the limits of a batch; its tokens count every beam with its new tokens.
        beams: width of the search; 1: greedy.
        max_new_tokens: a longer translation is cut.
    """
    translations = [""] * len(examples)
    generate: Any = model.generate
    batches = in_batches(
        model, examples, run.padding, run.batch_size, tokens=run.tokens, extra=max_new_tokens, copies=beams
    )
    for indices, batch in batches:
        batch.pop("labels", None)
        tokens = generate(**batch, num_beams=beams, do_sample=False, max_new_tokens=max_new_tokens)
        texts = run.tokenizer.batch_decode(tokens, skip_special_tokens=True)
        for index, text in zip(indices, texts, strict=True):
            translations[index] = text.strip()
    return translations
