"""Where weights come from, and what is refused: pickle, code from a repository, another family's model."""

import json

import pytest
import torch
from safetensors.torch import load_file
from transformers import RobertaConfig, RobertaForSequenceClassification

from bench.configuration.schema import Family, ModelConfig
from bench.errors import UserError
from bench.models.auto_classes import AUTO_CLASSES
from bench.models.head import Head
from bench.models.load import build_empty, load_architecture, load_model

HEAD = Head(labels=2)


@pytest.fixture
def folder(tmp_path):
    """A tiny RoBERTa, saved as safetensors."""
    sizes = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = RobertaConfig(vocab_size=20, **sizes)
    RobertaForSequenceClassification(config).save_pretrained(tmp_path)
    return tmp_path


def model_at(folder, **settings):
    config = ModelConfig(name="encoder", title="tiny", family=Family.encoder, path=str(folder), **settings)
    return load_model(config, load_architecture(config, HEAD))


def as_pickle(folder):
    """Turn the checkpoint into the old kind."""
    weights = folder / "model.safetensors"
    torch.save(load_file(weights), folder / "pytorch_model.bin")
    weights.unlink()


def test_safetensors_are_read(folder):
    word = "roberta.embeddings.word_embeddings.weight"
    assert torch.equal(model_at(folder).state_dict()[word], load_file(folder / "model.safetensors")[word])


def test_a_pickle_is_refused_unless_the_user_insists(folder):
    as_pickle(folder)
    with pytest.raises(UserError, match=r"model\.allow_pickle=true") as caught:
        model_at(folder)
    assert "\n" not in str(caught.value)
    assert isinstance(model_at(folder, allow_pickle=True), RobertaForSequenceClassification)


def test_code_in_the_folder_is_never_run(folder, tmp_path):
    witness = tmp_path / "ran"
    (folder / "configuration_evil.py").write_text(f"open({str(witness)!r}, 'w')\nclass Evil: pass\n")
    described = json.loads((folder / "config.json").read_text())
    described |= {"model_type": "evil", "auto_map": {"AutoConfig": "configuration_evil.Evil"}}
    (folder / "config.json").write_text(json.dumps(described))
    with pytest.raises(UserError) as caught:
        model_at(folder)
    assert "\n" not in str(caught.value)
    assert not witness.exists()


def test_another_familys_model_is_one_clear_line(folder):
    config = ModelConfig(name="encoder_decoder", title="tiny", family=Family.encoder_decoder, path=str(folder))
    with pytest.raises(UserError) as caught:
        load_model(config, load_architecture(config, None))
    assert "\n" not in str(caught.value)


def test_a_model_without_fused_attention_says_what_to_ask_for(folder, monkeypatch):
    monkeypatch.setattr(RobertaForSequenceClassification, "_supports_sdpa", False)
    assert model_at(folder, attention="eager").config._attn_implementation == "eager"
    config = ModelConfig(name="encoder", title="tiny", family=Family.encoder, path=str(folder))
    with pytest.raises(UserError, match=r"say model\.attention=eager"):
        build_empty(config, load_architecture(config, HEAD))


def test_a_gpu_gets_the_weights_as_they_are_read_and_the_host_does_not(folder, monkeypatch):
    told = {}

    class EnoughError(Exception):
        pass

    def read(*arguments, **options):
        told.update(options)
        raise EnoughError

    monkeypatch.setattr(AUTO_CLASSES[Family.encoder], "from_pretrained", read)
    config = ModelConfig(name="encoder", title="tiny", family=Family.encoder, path=str(folder))
    architecture = load_architecture(config, HEAD)
    with pytest.raises(EnoughError):
        load_model(config, architecture, device=torch.device("cuda", 1))
    assert told["device_map"] == {"": torch.device("cuda", 1)}, "all of it on that one"
    told.clear()
    with pytest.raises(EnoughError):
        load_model(config, architecture)
    assert "device_map" not in told


def test_a_model_that_is_read_by_a_device_map_is_the_same_one(folder):
    """Of the host here: what is on no other way to be had without a GPU."""
    config = ModelConfig(name="encoder", title="tiny", family=Family.encoder, path=str(folder))
    models = []
    for device in (torch.device("cpu"), torch.device("cpu", 0)):  # the second is not HOST, and goes by a map
        torch.manual_seed(1)
        models.append(load_model(config, load_architecture(config, HEAD), device=device).state_dict())
    assert models[0].keys() == models[1].keys()
    assert all(torch.equal(models[0][name], models[1][name]) for name in models[0])
