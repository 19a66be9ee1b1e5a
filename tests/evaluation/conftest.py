"""A small decoder with random weights, and the settings of an evaluation."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from transformers import AutoModelForCausalLM, LlamaConfig

from bench.configuration.compose import Configurations, build
from bench.configuration.schema import Family, Quantisation
from bench.data.example import Padding
from bench.evaluation.inference import Inference
from bench.methods.base import Method, Setting
from bench.models.families import structure_of
from bench.models.load import quantise


def small_llama(**changes: Any) -> nn.Module:
    torch.manual_seed(0)
    settings = {
        "vocab_size": 100, "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 256,
    }  # fmt: skip
    model: nn.Module = AutoModelForCausalLM.from_config(LlamaConfig(**(settings | changes)))
    return model.eval()


@pytest.fixture
def adapted() -> Callable[..., nn.Module]:
    """The small decoder under a method, what the method trains moved away from its start; nf4: on a quantised base."""

    def adapt(method_name: str, *overrides: str, nf4: bool = False, **changes: Any) -> nn.Module:
        with Configurations() as configurations:
            cell = configurations.cell([f"method={method_name}", "model=decoder", "task=mmlu", *overrides])
        method = build(cell.config["method"], Method)
        model = small_llama(**changes)
        structure = structure_of(model, Family.decoder)
        quantisation = Quantisation.nf4 if nf4 else Quantisation.none
        setting = Setting(Family.decoder, structure, 10, 100, quantisation=quantisation)
        method.check(setting)
        if nf4:
            quantise(model, structure.linears)
        model = method.apply(model, setting)
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.requires_grad:
                    parameter.add_(torch.randn_like(parameter) * 0.05)
        return model.eval()

    return adapt


@pytest.fixture
def inference() -> Callable[..., Inference]:
    """Batches of any size; the tokenizer is not needed."""
    return lambda batch_size=4, tokens=None: Inference(None, Padding(0), batch_size, tokens)  # type: ignore[arg-type]
