"""Operations of a forward and backward pass: those that PyTorch's counter knows, packed weights, attention on a CPU."""

import pytest
import torch
from torch import nn

from bench.configuration.schema import Quantisation
from bench.metering.storages import StorageTracker
from bench.models.quantisation import Packing, quantise, settle


def operations(model: nn.Module, inputs: torch.Tensor) -> int:
    tracker = StorageTracker(torch.device("cpu"))
    with tracker:
        model(inputs).sum().backward()
    return tracker.flops


@pytest.mark.parametrize("kind", [Quantisation.nf4, Quantisation.int8])
def test_a_product_with_packed_weights_counts_as_one_with_those_they_stand_for(kind):
    inputs = torch.randn(3, 5, 64, requires_grad=True)
    plain = nn.Sequential(nn.Linear(64, 128), nn.Linear(128, 64))
    for parameter in plain.parameters():
        parameter.requires_grad_(False)
    expected = operations(plain, inputs)
    assert expected == 2 * 2 * (3 * 5 * 64 * 128) * 2  # two layers, forwards and backwards, to the inputs alone
    quantise(plain, ["0", "1"], Packing(kind=kind))
    settle(plain)
    assert operations(plain, inputs) == expected


def test_fused_attention_on_a_cpu_counts_as_on_a_gpu():
    query = torch.randn(2, 4, 8, 16, requires_grad=True)
    prefixed = torch.randn(2, 4, 28, 16, requires_grad=True)
    product = 2 * 2 * 4 * 8 * 28 * 16
    tracker = StorageTracker(torch.device("cpu"))
    with tracker:
        result = nn.functional.scaled_dot_product_attention(query, prefixed, prefixed)
        assert tracker.flops == 2 * product  # scores, and what they weigh
        result.sum().backward()
    assert tracker.flops == (2 + 5) * product  # the scores once more, and a gradient of each factor
