"""What is said of a model's files without refusing them."""

import json
import shutil

import pytest
import torch
import transformers

from bench.configuration.schema import Family, ModelConfig
from bench.models.families import structure_of
from bench.models.remarks import remarks
from bench.models.source import checkpoint_of
from tests.tiny import tiny_config


@pytest.fixture
def said(tmp_path):
    """The remarks on a tiny decoder in a folder, after something was changed there."""
    torch.manual_seed(3)
    model = transformers.AutoModelForCausalLM.from_config(tiny_config("decoder"))
    model.save_pretrained(tmp_path)
    config = ModelConfig("decoder", "tiny", Family.decoder, path=str(tmp_path))
    return lambda: list(remarks(config, checkpoint_of(config), structure_of(model, Family.decoder)))


def test_nothing_is_said_of_a_usual_model(said):
    assert said() == []


def test_an_adapter_beside_it_is_spoken_of(said, tmp_path):
    (tmp_path / "adapter_config.json").write_text("{}")
    [line] = said()
    assert "adapter_config.json" in line


def test_weights_that_are_there_twice_are_spoken_of(said, tmp_path):
    shutil.copy(tmp_path / "model.safetensors", tmp_path / "model-00001-of-00001.safetensors")
    (tmp_path / "model.safetensors.index.json").write_text("{}")
    [line] = said()
    assert "model.safetensors is read" in line


@pytest.mark.parametrize("named", [["GemmaForCausalLM"], ["GemmaForCausalLM", "LlamaForCausalLM"]])
def test_a_configuration_that_contradicts_itself_is_spoken_of(said, tmp_path, named):
    described = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(described | {"architectures": named}))
    [line] = said()
    assert "'llama'" in line
    assert "gemma" in line
    for unknown in ("OfNextYear", None, [3]):
        (tmp_path / "config.json").write_text(json.dumps(described | {"architectures": unknown}))
        assert said() == []
