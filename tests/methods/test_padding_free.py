"""Every method that has no `row_limit` computes the same of texts in one row as of texts in rows of their own."""

import pytest
import torch

from bench.data.example import Flattening, Padding
from bench.errors import UnsupportedError
from bench.methods.peft_any import TYPES
from tests.fitted import examples
from tests.methods.peft_settings import FITTING
from tests.tiny import Adapted, all_methods, settings_of

NAMES = [name for name in all_methods() if name != "peft/any"] + [f"peft/any {kind}" for kind in TYPES]


def adapted(name):
    name, _, kind = name.partition(" ")
    settings = settings_of(name)
    return Adapted(settings | ({"settings": {"type": kind} | FITTING.get(kind, {})} if kind else {}), "decoder")


@pytest.mark.parametrize("name", NAMES)
def test_its_loss_is_the_same_or_it_says_that_it_is_not(name):
    try:
        made = adapted(name)
    except UnsupportedError:
        pytest.skip("not offered at all")
    model, rows = made.model.eval(), examples("decoder")[:5]
    torch.manual_seed(0)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data.add_(torch.randn_like(parameter) * 0.05)
    if made.method.row_limit:
        return
    with torch.no_grad():
        padded, flat = model(**Padding(0)(rows)).loss, model(**Flattening()(rows)).loss
    close = 1e-2 if name == "qlora" else 1e-5  # its products are in bf16
    assert flat.item() == pytest.approx(padded.item(), rel=close)
