"""The stand-in itself: what it counts and what it refuses are what CUDA does."""

import pytest
import torch

from tests.device.account import memory
from tests.device.events import watching
from tests.device.standin import DEVICE

COUNTED = {  # name: (what happens to a tensor of the device, what is copied to it, whether the host waits)
    "a tensor made of numbers": (lambda x: torch.tensor([1, 2], device=DEVICE), ["int64 (2,)"], True),
    "one made of no numbers": (lambda x: torch.tensor([], device=DEVICE), [], False),
    "one made there": (lambda x: torch.arange(3, device=DEVICE) + torch.full((3,), 2, device=DEVICE), [], False),
    "one with ones": (lambda x: torch.eye(2, device=DEVICE) @ x, [], False),
    "a copy": (lambda x: torch.ones(4).to(DEVICE), ["float32 (4,)"], True),
    "one that nobody waits for": (lambda x: torch.ones(4).to(DEVICE, non_blocking=True), ["float32 (4,)"], False),
    "a copy into one": (lambda x: x.copy_(torch.ones(2, 3)), ["float32 (2, 3)"], True),
    "a number of the host as an operand": (lambda x: x * torch.tensor(2.0) + 1, [], False),
    "numbers to choose from": (lambda x: torch.where(x > 0, x, torch.tensor(0.0)), ["float32 ()"], True),
    "numbers of Python's to choose from": (lambda x: torch.where(x > 0, x, 0.0), [], False),
    "an index of the host": (lambda x: x[torch.tensor([0])], ["int64 (1,)"], True),
    "an index of Python's": (lambda x: x[[0, 1]], ["int64 (2,)"], True),
    "a slice": (lambda x: x[1:, None], [], False),
    "a mask": (lambda x: x[x > 0], [], True),
    "places that are not zero": (lambda x: x.nonzero(), [], True),
    "a value": (lambda x: x.sum().item(), [], True),
    "a truth": (lambda x: bool((x > 0).any()), [], True),
    "a sum": (lambda x: x.sum(), [], False),
}


@pytest.mark.parametrize("inference", [False, True])
@pytest.mark.parametrize("name", COUNTED)
def test_what_is_copied_and_what_is_waited_for_is_counted(name, inference):
    act, copied, waited_for = COUNTED[name]
    x = torch.ones(2, 3).to(DEVICE)
    with torch.inference_mode(inference), watching() as events:
        act(x)
    assert events.to_device == copied
    assert bool(events.waits) == waited_for, events.waits
    assert events.to_host == []


@pytest.mark.parametrize("fetch", [lambda x: x.cpu(), lambda x: x.tolist(), lambda x: torch.empty(2, 3).copy_(x)])
def test_what_is_fetched_is_waited_for(fetch):
    x = torch.ones(2, 3).to(DEVICE)
    with watching() as events:
        fetch(x)
    assert events.to_host == ["float32 (2, 3)"]
    assert sum(events.waits.values()) == 1


@pytest.mark.parametrize(
    "act", [lambda x: x + torch.ones(3), lambda x: torch.ones(3) * x, lambda x: torch.cat([x, torch.ones(2, 3)]),
            lambda x: x.add_(torch.ones(3)), lambda x: torch.ones(3)[x[0].long()]],
)  # fmt: skip
def test_a_tensor_of_the_host_among_tensors_of_the_device_is_refused(act):
    with pytest.raises(RuntimeError, match="a tensor of the host among tensors of the device"):
        act(torch.ones(2, 3).to(DEVICE))


def test_bytes_are_counted_once_until_nothing_refers_to_them():
    before = memory.living
    with memory.from_here() as own:
        x = torch.ones(8, 16).to(DEVICE)
        views = [x.view(128), x[3:], x.T, x.detach()]
        assert memory.living - before == 8 * 16 * 4
        y = x + 1
        del x, views
        assert memory.living - before == 8 * 16 * 4
        assert own.peak - before == 2 * 8 * 16 * 4
        y.data = y.data.new_empty(0)
        assert memory.living == before
