"""`bench check method=…`: what a method promises is tried before anything is trained with it."""

from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import nn

from bench.configuration.compose import Configurations
from bench.methods.base import Method
from bench.methods.bitfit import BitFit
from bench.methods.trainable import freeze
from bench.running.method_check import CELLS, SETTINGS, look_at_method


@dataclass(kw_only=True)
class Shifts(Method):
    """Moves what it trains before anything is trained, and has a tensor that nothing uses."""

    def apply(self, model: nn.Module, setting: Any) -> nn.Module:
        freeze(model)
        for name, parameter in model.named_parameters():
            if name.endswith("LayerNorm.weight"):
                parameter.requires_grad_(True)
                parameter.data.add_(0.5)
        model.register_parameter("idle", nn.Parameter(torch.zeros(3)))
        return model


@dataclass(kw_only=True)
class Forgets(BitFit):
    """Stores nothing of what it has trained."""

    def stored_state(self, model: nn.Module) -> dict[str, torch.Tensor]:
        return {}

    def load_stored_state(self, model: nn.Module, state: dict[str, torch.Tensor]) -> None:
        return


def looked(target: str | None, family: str = "encoder", method: str = "bitfit"):
    model, task = CELLS[family]
    with Configurations() as configurations:
        cell = configurations.cell([f"model={model}", f"task={task}", *SETTINGS, f"method={method}"])
    if target is not None:
        settings = {"_target_": f"{__name__}.{target}"}
        cell.config["method"] |= settings
        for key in set(cell.config["method"]) - {*settings, "name", "title", "paper", "category", "components"}:
            if target == "Shifts":
                del cell.config["method"][key]
    return look_at_method(cell, family)


@pytest.mark.parametrize(("method", "family"), [("bitfit", "encoder"), ("ia3", "encoder_decoder"), ("lora", "decoder")])
def test_a_method_of_the_house_keeps_its_word(method, family):
    report = looked(None, family, method)
    assert (report.broken, report.refused) == ([], None)
    assert len(report.losses) == 6
    assert "what is stored gives the same outputs" in report.kept


def test_what_a_method_does_not_keep_is_named():
    report = looked("Shifts")
    assert "it is not the base at the start" in report.broken[0]
    assert "does not depend on 1 of the tensors that are counted as trained, among them idle" in report.refused


def test_a_method_that_forgets_is_found_out():
    assert any("what is stored gives other outputs" in said for said in looked("Forgets").broken)
