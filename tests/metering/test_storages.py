"""The account of storages, byte for byte against the allocator's, where looking on changes what autograd does."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from bench.metering.storages import StorageTracker
from tests.metering.allocator import allocator_peak

CPU = torch.device("cpu")
ROWS, COLUMNS = 40, 1000
SCALARS = 200  # bytes


class Weight(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(ROWS, COLUMNS))


def several_parts_of_one_tensor(weight):
    """Gradients of `doubled` come one after the other; each is added in the place of their sum."""
    doubled = weight * 2
    (doubled[:9].sum() + doubled[9:20].sum() + doubled[20:].sum()).backward()


def a_tensor_used_twice(weight):
    doubled = weight * 2
    (doubled.exp() * doubled.cos()).sum().backward()


def tied_embeddings(weight):
    """The first gradient is a view, which nothing is added to in its place."""
    inputs, tokens = torch.ones(1, COLUMNS), torch.zeros(1, dtype=torch.int64)
    (functional.embedding(tokens, weight).sum() + functional.linear(inputs, weight).sum()).backward()


def a_gradient_that_is_kept(weight):
    """The weight's first gradient is that of `total`, which a hook holds."""
    kept = []
    total = weight + 3 * weight
    total.register_hook(kept.append)
    (total * 5).exp().sum().backward()
    assert kept


def two_micro_batches(weight):
    for _ in range(2):
        (weight * 2).sum().backward()


def a_mask_of_booleans(weight):
    mask = torch.ones(ROWS, COLUMNS, dtype=torch.bool)
    with torch.no_grad():
        weight.mul_(mask)


def a_sum_of_two_dtypes(weight):
    with torch.no_grad():
        narrow = weight.bfloat16()
        narrow.add_(weight)


@pytest.mark.parametrize(
    "work",
    [
        several_parts_of_one_tensor, a_tensor_used_twice, tied_embeddings, a_gradient_that_is_kept, two_micro_batches,
        a_mask_of_booleans, a_sum_of_two_dtypes,
    ],
)  # fmt: skip
def test_the_peak_is_the_allocator_s(work):
    model = Weight()
    expected = allocator_peak(lambda: work(model.weight), before=4 * ROWS * COLUMNS)
    model, tracker = Weight(), StorageTracker(CPU)
    tracker.hold(model)
    with tracker:
        work(model.weight)
    assert tracker.peak == pytest.approx(expected, abs=SCALARS)
    assert sum(vars(tracker.split).values()) == tracker.peak
