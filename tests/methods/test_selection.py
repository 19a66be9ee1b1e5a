"""The selection of Child-Tuning and the bits of ProPELT, against sorting."""

import time

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.methods.shared.mask_scores import pack_bits, unpack_bits
from bench.methods.shared.selection import kth_smallest, largest

values = st.lists(st.floats(0, 2.0**99, width=32), min_size=1, max_size=60)


@settings(max_examples=60, deadline=None)
@given(values, st.integers(1, 60))
def test_the_kth_smallest_is_that_of_a_sort(entries, k):
    k = min(k, len(entries))
    tensor = torch.tensor(entries)
    halves = [tensor[: len(entries) // 2], tensor[len(entries) // 2 :]]
    assert kth_smallest(halves, k) == tensor.sort().values[k - 1]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=1, max_size=40), st.integers(1, 40))
def test_exactly_as_many_are_chosen_as_asked_for_equal_ones_included(entries, count):
    count = min(count, len(entries))
    tensor = torch.tensor(entries)
    masks = largest([tensor[:3].clone(), tensor[3:].clone()], count)
    mask = torch.cat(masks)
    assert int(mask.sum()) == count
    assert tensor[mask].sum() == tensor.sort(descending=True).values[:count].sum()


@given(st.lists(st.booleans(), min_size=1, max_size=40))
def test_bits_come_back(entries):
    mask = torch.tensor(entries)
    packed = pack_bits(mask)
    assert packed.dtype == torch.uint8
    assert len(packed) == -(-len(entries) // 8)
    assert torch.equal(unpack_bits(packed, mask.shape), mask)


@pytest.mark.slow
def test_roberta_larges_candidates_are_selected_within_a_minute_and_memory():
    import resource

    torch.set_num_threads(2)
    fisher = [torch.rand(12_596_224).square_() for _ in range(24)]  # 302,309,376 entries, as RoBERTa-large has
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    masks = largest(fisher, round(0.3 * 302_309_376))
    assert time.perf_counter() - start < 60
    assert sum(int(mask.sum()) for mask in masks) == 90_692_813
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before  # KiB
    assert grown < 1 * 2**20  # the masks are 288 MiB
