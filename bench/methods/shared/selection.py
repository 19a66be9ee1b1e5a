"""The k-th smallest of very many values, without a sort and without a copy of them."""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

HALF = 16  # bits
CHUNK = 1 << 20  # entries looked at together


def kth_smallest(tensors: Sequence[Tensor], k: int) -> Tensor:
    """The `k`-th smallest entry (from 1) of all `tensors` together; memory beyond them: megabytes.

    A radix selection on the bits. The bit patterns of non-negative floats, read as integers, are in the order of the
    floats: one pass counts the upper halves and finds the one that holds the k-th entry, a second pass counts the lower
    halves of the entries that have it.

    Args:
        tensors: float32, contiguous, no entry negative or NaN.
        k: from 1 to the number of entries.

    Returns:
        A scalar, float32.
    """
    upper, below = _locate(((chunk >> HALF) for chunk in _chunks(tensors)), k, tensors[0].device)
    lower, _ = _locate(
        (chunk[(chunk >> HALF) == upper] & ((1 << HALF) - 1) for chunk in _chunks(tensors)),
        k - below,
        tensors[0].device,
    )
    return torch.tensor((upper << HALF) | lower, dtype=torch.int32, device=tensors[0].device).view(torch.float32)


def _chunks(tensors: Sequence[Tensor]) -> Iterable[Tensor]:
    return (chunk for tensor in tensors for chunk in tensor.detach().view(-1).view(torch.int32).split(CHUNK))


def _locate(chunks: Iterable[Tensor], k: int, device: torch.device) -> tuple[int, int]:
    """The 16-bit number that is the k-th smallest of all, and how many are smaller."""
    counts = torch.zeros(1 << HALF, dtype=torch.int64, device=device)
    for chunk in chunks:
        counts += torch.bincount(chunk, minlength=1 << HALF)
    ends = counts.cumsum(0)
    place = int((ends < k).sum())
    return place, int(ends[place] - counts[place])


def largest(tensors: Sequence[Tensor], count: int) -> list[Tensor]:
    """Masks of the `count` largest entries of all `tensors` together; of equal ones the first.

    Returns:
        Booleans of the tensors' shapes, exactly `count` of them True.
    """
    total = sum(tensor.numel() for tensor in tensors)
    if count >= total:
        return [torch.ones_like(tensor, dtype=torch.bool) for tensor in tensors]
    threshold = kth_smallest(tensors, total - count + 1)
    masks = [tensor > threshold for tensor in tensors]
    spare = count - sum(int(mask.sum()) for mask in masks)
    for tensor, mask in zip(tensors, masks, strict=True):
        equal = (tensor == threshold).view(-1).nonzero().squeeze(1)[:spare]
        mask.view(-1)[equal] = True
        spare -= len(equal)
    return masks
