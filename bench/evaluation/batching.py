"""Length-sorted evaluation batches on the model's device."""

from collections.abc import Iterator, Sequence

from torch import Tensor, nn

from bench.data.example import Example, Padding

ENOUGH = 512  # tokens that keep a processor busy; a batch that has them may end early to save padding
SIMILAR = 0.75  # of the longest: shorter examples wait for a batch of their own


def in_batches(
    model: nn.Module,
    examples: Sequence[Example],
    padding: Padding,
    batch_size: int,
    *,
    tokens: int | None = None,
    extra: int = 0,
    copies: int = 1,
    equal: bool = False,
) -> Iterator[tuple[list[int], dict[str, Tensor]]]:
    """Put the model into evaluation mode and yield the examples' indices with their padded batch, longest first.

    Args:
        model: its device is the batches'.
        examples: what to batch.
        padding: on the right.
        batch_size: examples of a batch, at most.
        tokens: tokens of a batch, at most, with padding; see `sorted_batches`.
        extra: tokens that the model will hold of each example beside the input: new ones, a shared prefix.
        copies: how many times it will hold them: beams.
        equal: put together only examples of one length, for models that must be given no padding.
    """
    model.eval()
    device = next(model.parameters()).device
    lengths = [len(example["input_ids"]) for example in examples]
    for indices in sorted_batches(lengths, batch_size, tokens, extra, copies, equal=equal):
        batch = padding([examples[index] for index in indices])
        yield indices, {key: value.to(device) for key, value in batch.items()}


def sorted_batches(
    lengths: Sequence[int],
    batch_size: int,
    tokens: int | None = None,
    extra: int = 0,
    copies: int = 1,
    *,
    equal: bool = False,
) -> list[list[int]]:
    """Batches for evaluation: longest first, so that memory peaks at once and padding is least.

    A batch has at most `batch_size` examples, and at most `tokens` tokens where it has more than one example: its
    longest length plus `extra`, times `copies`, times its examples. It ends early where much of it would be padding, or
    any with `equal`.
    """
    order = sorted(range(len(lengths)), key=lambda i: -lengths[i])
    batches = []
    start = 0
    while start < len(order):
        size = batch_size
        if tokens is not None:
            size = max(1, min(size, tokens // ((lengths[order[start]] + extra) * copies)))
        following = [lengths[index] for index in order[start : start + size]]
        size = following.count(following[0]) if equal else _similar(following)
        batches.append(order[start : start + size])
        start += size
    return batches


def _similar(lengths: Sequence[int]) -> int:
    """How many of these falling lengths go into one batch: all, or as far as they are similar and enough."""
    for count, length in enumerate(lengths):
        if count * lengths[0] >= ENOUGH and length < SIMILAR * lengths[0]:
            return count
    return len(lengths)
