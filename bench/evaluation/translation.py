"""Translate with an encoder-decoder, by beam search."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from transformers import GenerationConfig

from bench.data.example import Example
from bench.evaluation.batching import in_batches
from bench.evaluation.inference import Inference
from bench.models.tokenizer import end_token


@dataclass(frozen=True)
class Search:
    """How a translation is looked for. What a checkpoint's own `generation_config.json` says does not count.

    Attributes:
        beams: width of the search; 1: greedy.
        max_new_tokens: a longer translation is cut.
        length_penalty: a beam's log-probability is divided by its length to this power; 0: not at all. It is not the
            formula of Wu et al. 2016, https://arxiv.org/abs/1609.08144, equation 14.
        early_stopping: whether the search ends as soon as there are as many finished beams as `beams`; else where none
            of the open ones can become better.
    """

    beams: int
    max_new_tokens: int
    length_penalty: float = 1.0
    early_stopping: bool = False

    def config(self, end: int, padding: int) -> GenerationConfig:
        """As transformers takes it. What is not said here it would take from the checkpoint."""
        return GenerationConfig(
            num_beams=self.beams, max_new_tokens=self.max_new_tokens, length_penalty=self.length_penalty,
            early_stopping=self.early_stopping, do_sample=False, min_length=0, num_return_sequences=1,
            repetition_penalty=1.0, encoder_repetition_penalty=1.0, no_repeat_ngram_size=0,
            encoder_no_repeat_ngram_size=0, eos_token_id=end, pad_token_id=padding,
        )  # fmt: skip


@torch.inference_mode()
def translate(model: nn.Module, examples: Sequence[Example], run: Inference, search: Search) -> list[str]:
    """The translation of each example, in their order.

    Args:
        model: an encoder-decoder, possibly wrapped by a method.
        examples: sources; their labels are not looked at.
        run: tokenizer, padding, and the limits of a batch; its tokens count every beam with its new tokens.
        search: how.
    """
    translations = [""] * len(examples)
    generate: Any = model.generate
    config = search.config(end_token(run.tokenizer), run.padding.token)
    batches = in_batches(
        model, examples, run.padding, run.batch_size, tokens=run.tokens, extra=search.max_new_tokens,
        copies=search.beams,
    )  # fmt: skip
    for indices, batch in batches:
        batch.pop("labels", None)
        tokens = generate(**batch, generation_config=config)
        texts = run.tokenizer.batch_decode(tokens, skip_special_tokens=True)
        for index, text in zip(indices, texts, strict=True):
            translations[index] = text.strip()
    return translations
