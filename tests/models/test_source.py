"""Where weights are read from: a repository on the hub is as its copy in the cache, and is read like any folder."""

import json

import pytest
import torch
import transformers
from safetensors.torch import load_file

from bench.configuration.schema import Family, ModelConfig
from bench.errors import UserError
from bench.models.families import structure_of
from bench.models.load import build_empty, load_architecture, load_model
from bench.models.source import checkpoint_at_hand
from tests.tiny import tiny_config

COMMIT = "0" * 40
MODEL = ModelConfig("decoder", "tiny", Family.decoder, hub="someone/something")


@pytest.fixture
def cached(tmp_path, monkeypatch):
    """The folder of the repository's newest commit in a cache that was filled before."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    repository = tmp_path / "models--someone--something"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(COMMIT)
    folder = repository / "snapshots" / COMMIT
    torch.manual_seed(3)
    transformers.AutoModelForCausalLM.from_config(tiny_config("decoder")).save_pretrained(folder)
    return folder


def in_shards(folder):
    transformers.AutoModelForCausalLM.from_pretrained(folder).save_pretrained(folder, max_shard_size="100KB")
    (folder / "model.safetensors").unlink(missing_ok=True)
    return sorted(folder.glob("model-*.safetensors"))


def in_full():
    """All that a cell does with a model before it trains it."""
    architecture = load_architecture(MODEL, None)
    structure_of(build_empty(MODEL, architecture), Family.decoder)
    return load_model(MODEL, architecture)


def test_a_cached_repository_is_read_without_a_network(cached):
    stored = load_file(cached / "model.safetensors")
    loaded = in_full().state_dict()
    assert all(torch.equal(loaded[name], tensor) for name, tensor in stored.items())


def test_its_shards_are_read_too(cached):
    assert len(in_shards(cached)) > 1
    in_full()


def test_half_of_a_repository_is_to_be_fetched(cached):
    in_shards(cached)[-1].unlink()
    with pytest.raises(UserError, match=r"someone/something is not on this machine.*bench fetch"):
        in_full()


def test_a_plan_does_without_the_weights(cached):
    assert checkpoint_at_hand(MODEL).folder == cached
    (cached / "model.safetensors").unlink()
    assert checkpoint_at_hand(MODEL) is None


def test_a_repository_is_checked_like_a_folder(cached):
    (cached / "model.safetensors").write_bytes((cached / "model.safetensors").read_bytes()[:-1])
    with pytest.raises(UserError, match=r"model\.safetensors"):
        in_full()


@pytest.mark.parametrize(
    "changes",
    [
        {"num_hidden_layers": 0}, {"num_hidden_layers": "two"}, {"num_hidden_layers": -1}, {"hidden_size": None},
        {"vocab_size": -3}, {"hidden_act": "nope"}, {"num_attention_heads": 0}, {"rope_parameters": "x"},
        {"quantization_config": "x"}, {"model_type": None}, {"dtype": "nope"}, {"transformers_weights": "../x"},
    ],
)  # fmt: skip
def test_a_configuration_that_describes_no_model_is_one_line(cached, changes):
    described = json.loads((cached / "config.json").read_text())
    (cached / "config.json").write_text(json.dumps(described | changes))
    with pytest.raises(UserError) as caught:
        in_full()
    assert "\n" not in str(caught.value)
