"""The replay of CUDA's caching allocator: the sizes of its segments, and how their pieces are used again."""

from hypothesis import given
from hypothesis import strategies as st

from scripts.explain_memory import MIB, Allocator


def after(*sizes):
    allocator = Allocator()
    for owner, size in enumerate(sizes):
        allocator.take(owner, size)
    return allocator


def test_segments_have_the_sizes_of_pytorch_s():
    assert after(1).reserved == 2 * MIB
    assert after(1, MIB).reserved == 2 * MIB, "both from one segment for small sizes"
    assert after(MIB + 1).reserved == 20 * MIB
    assert after(10 * MIB).reserved == 10 * MIB
    assert after(10 * MIB + 1).reserved == 12 * MIB


def test_what_is_left_is_given_out_with_the_piece_unless_it_is_worth_splitting_off():
    assert after(11 * MIB).peak == 12 * MIB
    assert after(9 * MIB, 10 * MIB - 512).peak == 19 * MIB - 512, "more than 1 MiB is left"
    assert after(9 * MIB, 10 * MIB - 1).peak == 20 * MIB, "1 MiB is left"
    assert after(MIB, MIB - 512).peak == 2 * MIB - 512, "a small one is worth it from 512 bytes"


def test_neighbours_that_are_free_are_one_piece_again():
    allocator = after(5 * MIB, 5 * MIB, 5 * MIB, 5 * MIB)
    for owner in (0, 2, 1):
        allocator.give_back(owner)
    allocator.take("all of it", 15 * MIB)
    assert allocator.reserved == 20 * MIB


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 40 * MIB)), max_size=60))
def test_no_two_pieces_overlap_and_none_is_lost(steps):
    allocator, living = Allocator(), []
    for owner, (give_back, size) in enumerate(steps):
        if give_back and living:
            allocator.give_back(living.pop(size % len(living)))
        else:
            allocator.take(owner, size)
            living.append(owner)
        pieces = sorted((address, size) for address, (size, _) in allocator._pieces.items())
        ends = [address + size for address, size in pieces]
        assert [address for address, _ in pieces] == [0, *ends][: len(pieces)]
        assert (ends or [0])[-1] == allocator.reserved
