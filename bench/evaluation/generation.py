"""Let a model write: an encoder-decoder, or a decoder that goes on from a prompt; greedy or by beam search."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import GenerationConfig

from bench.data.example import Example
from bench.evaluation.batching import in_batches
from bench.evaluation.inference import Inference
from bench.models.tokenizer import end_token


@dataclass(frozen=True)
class Search:
    """How a text is looked for. What a checkpoint's own `generation_config.json` says does not count.

    Attributes:
        beams: width of the search; 1: greedy.
        max_new_tokens: a longer text is cut.
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
def write(
    model: nn.Module, examples: Sequence[Example], run: Inference, search: Search, stop: str | None = None
) -> list[str]:
    """What the model writes to each example, in their order, without blanks at its ends.

    Args:
        model: an encoder-decoder or a decoder, possibly wrapped by a method.
        examples: inputs, or prompts; their labels are not looked at.
        run: tokenizer, padding, and the limits of a batch; its tokens count every beam with its new tokens.
        search: how.
        stop: text that ends an answer, beside the end token; what follows it is left out.
    """
    written = [""] * len(examples)
    generate: Any = model.generate
    config = search.config(end_token(run.tokenizer), run.padding.token)
    goes_on = not model.config.is_encoder_decoder  # type: ignore[union-attr]
    batches = in_batches(
        model, examples, run.padding, run.batch_size, tokens=run.tokens, extra=search.max_new_tokens,
        copies=search.beams, equal=goes_on and _numbers_columns(model),
    )  # fmt: skip
    for indices, batch in batches:
        batch.pop("labels", None)
        inputs = padded_in_front(batch) if goes_on else batch
        tokens = generate(**inputs, generation_config=config)
        if goes_on:
            tokens = tokens[:, inputs["input_ids"].shape[1] :]
        texts = run.tokenizer.batch_decode(tokens, skip_special_tokens=True)
        for index, text in zip(indices, texts, strict=True):
            written[index] = (text if stop is None else text.partition(stop)[0]).strip()
    return written


def padded_in_front(batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """A batch with its padding moved to the left, so that what is written stands right behind every prompt.

    Args:
        batch: `input_ids` and `attention_mask` `(batch, length)`, padded on the right.
    """
    mask = batch["attention_mask"]
    length = mask.shape[1]
    shift = length - mask.sum(dim=1, keepdim=True)
    places = (torch.arange(length, device=mask.device) - shift) % length
    return {name: batch[name].gather(1, places) for name in ("input_ids", "attention_mask")}


def _numbers_columns(model: nn.Module) -> bool:
    """Whether a text's positions depend on the padding in front of it: peft leaves them out where it puts a prompt in.

    Models with absolute positions (GPT-2) would count padding with them.
    """
    peft = sys.modules.get("peft")  # slow to import; where nobody has, no model is wrapped by it
    return peft is not None and isinstance(model, peft.PeftModel) and model.active_peft_config.is_prompt_learning
