"""What asking a model takes beside the model."""

from dataclasses import dataclass, field
from typing import Any

from transformers import PreTrainedTokenizerBase

from bench.data.example import Padding


@dataclass(frozen=True)
class Inference:
    """What `Task.predict` needs beside the model.

    Attributes:
        tokenizer: the model's.
        padding: how batches are padded.
        batch_size: examples at a time, at most.
        tokens: padded tokens at a time, at most; bounds the memory where examples are long.
        notes: what a reader of the scores must know of how they were made; goes into the record.
    """

    tokenizer: PreTrainedTokenizerBase
    padding: Padding
    batch_size: int
    tokens: int | None = None
    notes: dict[str, Any] = field(default_factory=dict)
