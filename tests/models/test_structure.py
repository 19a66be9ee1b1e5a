"""Sites are found from the modules, in every model built like one of the three families."""

import pytest
import torch
import transformers
from torch import nn

from bench.configuration.schema import Family
from bench.errors import UnsupportedError
from bench.models.auto_classes import AUTO_CLASSES
from bench.models.families import structure_of
from tests.tiny import Adapted, settings_of, tiny_config

KIN = [
    ("encoder", "bert"), ("encoder", "xlm-roberta"), ("encoder_decoder", "mt5"), ("decoder", "mistral"),
    ("decoder", "qwen2"), ("decoder", "qwen3"),
]  # fmt: skip


def kin(family, model_type):
    changes = {"model_type": model_type}
    if model_type == "mt5":
        changes["feed_forward_proj"] = "gated-gelu"
    if model_type == "qwen3":
        changes["head_dim"] = 16
    torch.manual_seed(0)
    return AUTO_CLASSES[Family(family)].from_config(tiny_config(family, **changes))


@pytest.mark.parametrize(("family", "linears"), [("encoder", 12), ("encoder_decoder", 32), ("decoder", 14)])
def test_every_linear_layer_of_every_block_is_a_site(family, linears):
    model = AUTO_CLASSES[Family(family)].from_config(tiny_config(family))
    structure = structure_of(model, Family(family))
    assert len(structure.linears) == len(set(structure.linears)) == linears
    inside = {
        path
        for path, module in model.named_modules()
        if isinstance(module, nn.Linear) and any(path.startswith(block.path + ".") for block in structure.blocks)
    }
    assert set(structure.linears) == inside


@pytest.mark.parametrize(("family", "model_type"), KIN)
@pytest.mark.parametrize("name", ["adapter_s", "adapter_pfeiffer", "mam", "propelt_lora", "lora", "bitfit"])
def test_kin_are_served_by_the_same_reader(family, model_type, name):
    losses = Adapted(settings_of(name), family, base=kin(family, model_type)).train(4)
    assert losses[-1] < losses[0]


@pytest.mark.parametrize(("family", "model_type"), [("encoder", "fnet"), ("decoder", "mamba")])
def test_of_an_unknown_class_a_method_that_asks_is_refused_and_no_other(family, model_type):
    config = transformers.AutoConfig.for_model(model_type)
    with torch.device("meta"):
        model = AUTO_CLASSES[Family(family)].from_config(config, attn_implementation="eager")
    structure = structure_of(model, Family(family))
    assert structure.hidden_size == config.hidden_size
    assert structure.head == (("classifier",) if family == "encoder" else ())
    with pytest.raises(UnsupportedError, match="nothing is known of what is inside") as caught:
        structure.paths(["query"])
    assert "\n" not in str(caught.value)
