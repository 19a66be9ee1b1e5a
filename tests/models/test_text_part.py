"""Of a checkpoint of images and texts (Gemma 3), the text part is read: the whole's answers to texts, and no more."""

import json

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from bench.configuration.schema import Dtype, Family, ModelConfig, Quantisation
from bench.errors import UserError
from bench.models.checkpoint import read_checkpoint
from bench.models.families import structure_of
from bench.models.head import Head
from bench.models.load import build_empty, load_architecture, load_model
from bench.models.number_types import dtype_of
from bench.models.remarks import remarks
from tests.tiny import HIDDEN, VOCABULARY

TEXT = {
    "vocab_size": VOCABULARY, "hidden_size": HIDDEN, "intermediate_size": 128, "num_hidden_layers": 3,
    "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16, "sliding_window": 4,
    "max_position_embeddings": 64, "rope_scaling": {"rope_type": "linear", "factor": 8.0},
    "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
}  # fmt: skip
VISION = {
    "model_type": "siglip_vision_model", "hidden_size": 32, "image_size": 28, "intermediate_size": 64,
    "num_attention_heads": 2, "num_hidden_layers": 2, "patch_size": 14, "vision_use_head": False,
}  # fmt: skip


@pytest.fixture
def whole(tmp_path):
    """A model of images and texts, saved to `tmp_path`."""
    torch.manual_seed(0)
    text = transformers.Gemma3TextConfig(**TEXT).to_dict()
    config = transformers.Gemma3Config(text_config=text, vision_config=VISION, mm_tokens_per_image=1)
    model = transformers.Gemma3ForConditionalGeneration(config).eval()
    for parameter in model.parameters():
        parameter.data.add_(torch.randn_like(parameter) * 0.1)
    model.save_pretrained(tmp_path)
    return model


def configured(folder, **settings):
    return ModelConfig(name="mine", title="tiny", family=Family.decoder, path=str(folder), **settings)


def loaded(folder, quantisation=Quantisation.none):
    config = configured(folder)
    return load_model(config, load_architecture(config, None), quantisation).eval()


def logits(model):
    ids = torch.randint(3, VOCABULARY, (2, 9), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        return model(input_ids=ids).logits


def renamed(folder, begin, other):
    """The same tensors with other names."""
    file = folder / "model.safetensors"
    tensors = {name.replace(begin, other, 1): tensor for name, tensor in load_file(file).items()}
    save_file(tensors, file, metadata={"format": "pt"})
    return tensors


def test_the_text_part_answers_as_the_whole_does(whole, tmp_path):
    names = load_file(tmp_path / "model.safetensors").keys()
    assert {name.split(".")[0] for name in names} == {"language_model", "multi_modal_projector", "vision_tower"}
    model = loaded(tmp_path)
    assert type(model).__name__ == "Gemma3ForCausalLM"
    assert torch.equal(logits(model), logits(whole))
    of_texts = sum(p.numel() for p in whole.model.language_model.parameters())
    assert sum(p.numel() for p in model.parameters()) == of_texts
    assert structure_of(model, Family.decoder).missing is None


def test_it_does_under_the_names_that_the_library_has_for_them_now(whole, tmp_path):
    tensors = renamed(tmp_path, "language_model.model.", "model.language_model.")
    assert "model.language_model.norm.weight" in tensors
    assert torch.equal(logits(loaded(tmp_path)), logits(whole))


def test_it_is_built_and_typed_as_it_is_read(whole, tmp_path):
    config = configured(tmp_path, dtype=Dtype.auto)
    architecture = load_architecture(config, None)
    assert architecture.model_type == "gemma3_text"
    assert dtype_of(config, architecture, read_checkpoint(tmp_path)) == Dtype.float32
    shapes = {name: parameter.shape for name, parameter in build_empty(config, architecture).named_parameters()}
    assert shapes == {name: parameter.shape for name, parameter in loaded(tmp_path).named_parameters()}


def test_it_takes_a_task_head_and_four_bits(whole, tmp_path):
    config = configured(tmp_path)
    with_head = load_model(config, load_architecture(config, Head(3)))
    assert with_head.score.out_features == 3
    assert torch.isfinite(logits(loaded(tmp_path, Quantisation.nf4))).all()


def test_what_was_read_is_saved_as_a_model_of_texts(whole, tmp_path):
    loaded(tmp_path).save_pretrained(tmp_path / "text")
    assert json.loads((tmp_path / "text" / "config.json").read_text())["model_type"] == "gemma3_text"
    assert torch.equal(logits(loaded(tmp_path / "text")), logits(whole))


def test_a_warning_says_what_was_left_out(whole, tmp_path):
    config = configured(tmp_path)
    structure = structure_of(loaded(tmp_path), Family.decoder)
    [line] = remarks(config, read_checkpoint(tmp_path), structure)
    assert line == f"{tmp_path} is a model of images and texts (gemma3); its text part alone is read"


@pytest.mark.parametrize("change", ["lacks", "more"])
def test_a_text_part_that_is_not_whole_is_refused(whole, tmp_path, change):
    file = tmp_path / "model.safetensors"
    tensors = load_file(file)
    norm = tensors["language_model.model.norm.weight"]
    if change == "lacks":
        del tensors["language_model.model.layers.1.mlp.up_proj.weight"]
    else:
        tensors["language_model.model.layers.7.input_layernorm.weight"] = norm.clone()
    save_file(tensors, file, metadata={"format": "pt"})
    with pytest.raises(UserError, match=r"model\.layers\.[17]\.") as caught:
        loaded(tmp_path)
    assert "\n" not in str(caught.value)
