"""Batches: which examples go together, and what is counted of them on the host."""

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from bench.configuration.schema import TrainingConfig
from bench.data.example import IGNORED

GROUPING = 50  # batches within which examples are sorted by length: enough to save padding, few enough to stay random


def epoch_order(lengths: Sequence[int], batch_size: int, grouped: bool, generator: torch.Generator) -> list[list[int]]:
    """Shuffle one epoch's examples into batches; the last one may be smaller.

    Args:
        lengths: tokens of each example.
        batch_size: examples per batch.
        grouped: put examples of similar lengths together. The epoch is shuffled, cut into chunks of `GROUPING`
            batches, each chunk sorted by length and cut into batches, and the batches are shuffled.
        generator: decides the order.

    Returns:
        Lists of indices; each index occurs once.
    """
    order = torch.randperm(len(lengths), generator=generator).tolist()
    if grouped:
        chunk = batch_size * GROUPING
        order = [
            index
            for start in range(0, len(order), chunk)
            for index in sorted(order[start : start + chunk], key=lambda i: -lengths[i])
        ]
    batches = [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
    if grouped:
        batches = [batches[i] for i in torch.randperm(len(batches), generator=generator).tolist()]
    return batches


def epochs_of(lengths: Sequence[int], training: TrainingConfig, seed: int) -> Iterator[list[list[int]]]:
    """The training's epochs without end, each in a new order; see `epoch_order`."""
    generator = torch.Generator().manual_seed(seed)
    while True:
        yield epoch_order(lengths, training.batch_size, training.length_grouped, generator)


class Filler(dict[str, Tensor]):
    """A micro-batch that counts for nothing: it keeps a process in step with those that have one more."""


def micro_batches_of(step: list[int], micro: int, rank: int = 0, size: int = 1) -> tuple[list[list[int]], int]:
    """One process's share of an optimizer step's examples, as micro-batches.

    Args:
        step: indices of the step's examples.
        micro: examples per micro-batch, at most.
        rank: which process.
        size: how many there are; alone, the share is all of it.

    Returns:
        Lists of indices, as many in every process, and how many of them count; the rest are there to fill.
    """
    own = step[rank::size]
    pieces = [own[start : start + micro] for start in range(0, len(own), micro)]
    needed = math.ceil(math.ceil(len(step) / size) / micro)
    return pieces + [step[:1]] * (needed - len(pieces)), len(pieces)


def target_count(batch: dict[str, Tensor]) -> int:
    """Over how many labels the loss of a batch is averaged; read on the CPU, before the batch moves to a device."""
    if isinstance(batch, Filler):
        return 0
    labels = batch["labels"]
    return int((labels != IGNORED).sum()) if labels.dim() == 2 else len(labels)


def token_count(batch: dict[str, Tensor], targets_apart: bool) -> int:
    """Tokens of a batch without padding; `targets_apart` adds the labels, where they are tokens (encoder-decoders)."""
    if isinstance(batch, Filler):
        return 0
    targets = int((batch["labels"] != IGNORED).sum()) if targets_apart and batch["labels"].dim() == 2 else 0
    tokens = int(batch["attention_mask"].sum()) if "attention_mask" in batch else batch["input_ids"].numel()
    return tokens + targets


def padded_count(batch: dict[str, Tensor], targets_apart: bool) -> int:
    """Tokens of a batch with padding; `targets_apart` adds the labels, where they are tokens (encoder-decoders)."""
    if isinstance(batch, Filler):
        return 0
    return batch["input_ids"].numel() + (batch["labels"].numel() if targets_apart and batch["labels"].dim() == 2 else 0)
