"""How well a language model foretells a text: the perplexity of its tokens."""

import math
from collections.abc import Sequence

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from bench.data.example import Example
from bench.evaluation.batching import in_batches
from bench.evaluation.inference import Inference

AT_ONCE = 4096  # tokens of a batch, at most: each has a logit for every word of the vocabulary
MOST = 1e18  # a record holds no larger number; whatever foretells worse has forgotten all the same


@torch.inference_mode()
def perplexity(model: nn.Module, windows: Sequence[Example], run: Inference) -> float:
    """Exp of the mean negative log-likelihood of all tokens but the first of each window; `MOST` at most.

    Args:
        model: a decoder with a language-model head, possibly wrapped by a method.
        windows: `input_ids`; each is read by itself.
        run: padding and the limits of a batch.
    """
    losses: list[torch.Tensor] = []
    tokens = min(run.tokens or AT_ONCE, AT_ONCE)
    for places, batch in in_batches(model, windows, run.padding, run.batch_size, tokens=tokens):
        length = batch["input_ids"].shape[1]
        logits = model(**batch).logits[:, -length:]  # virtual tokens stand in front
        for row, place in enumerate(places):
            last = len(windows[place]["input_ids"]) - 1
            following = batch["input_ids"][row, 1 : last + 1]
            losses.append(cross_entropy(logits[row, :last].float(), following, reduction="sum").double())
    count = sum(len(window["input_ids"]) - 1 for window in windows)
    mean = float(torch.stack(losses).sum()) / count
    return math.nan if math.isnan(mean) else min(MOST, math.exp(min(mean, 100.0)))
