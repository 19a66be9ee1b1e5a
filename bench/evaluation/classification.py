"""Predict labels (or scores) with a model and its task head."""

from collections.abc import Sequence

import torch
from torch import nn

from bench.data.example import Example, Padding
from bench.evaluation.batching import in_batches


@torch.inference_mode()
def classify(
    model: nn.Module, examples: Sequence[Example], padding: Padding, batch_size: int, tokens: int | None = None
) -> list[float] | list[int]:
    """The most likely label of each example, in their order; the score itself for a head of one output."""
    predictions: list[float] = [0] * len(examples)
    for indices, batch in in_batches(model, examples, padding, batch_size, tokens=tokens):
        batch.pop("labels", None)
        logits = model(**batch).logits.float()
        values = logits[:, 0] if logits.shape[1] == 1 else logits.argmax(dim=1)
        for index, value in zip(indices, values.tolist(), strict=True):
            predictions[index] = value
    return predictions
