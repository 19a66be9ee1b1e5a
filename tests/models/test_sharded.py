"""Tensors that are spread over processes; tests/distributed has real ones."""

import weakref

import torch

from bench.models.sharded import gathered


class Spread:
    """Stands for a DTensor: the whole of it is made when it is asked for, and whoever lets it go has it no more."""

    def __init__(self):
        self.made = []

    def full_tensor(self):
        full = torch.arange(6.0)
        self.made.append(weakref.ref(full))
        return full


def test_who_keeps_it_has_the_whole_and_who_only_helps_has_nothing():
    spread = Spread()
    assert torch.equal(gathered(spread, keep=True), torch.arange(6.0))
    assert gathered(spread, keep=False).numel() == 0
    assert len(spread.made) == 2, "all have to ask"
    assert spread.made[1]() is None


def test_what_is_not_spread_is_left_as_it_is():
    tensor = torch.ones(2)
    assert gathered(tensor, keep=False) is tensor
