"""Weights are what they claim to be: every tensor of the base comes from the checkpoint, or nothing is trained."""

import json
from functools import partial

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from bench.configuration.schema import Family, ModelConfig, Quantisation
from bench.errors import UserError
from bench.models.head import Head
from bench.models.load import load_architecture, load_model
from tests.tiny import tiny_config

PRETRAINED = {
    "encoder": transformers.AutoModelForMaskedLM,
    "encoder_decoder": transformers.AutoModelForSeq2SeqLM,
    "decoder": transformers.AutoModelForCausalLM,
}
LAYER = {
    "encoder": "roberta.encoder.layer.1.",
    "encoder_decoder": "decoder.block.1.",
    "decoder": "model.layers.1.",
}


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "model"


def save(folder, family, auto=None, **changes):
    torch.manual_seed(3)
    (auto or PRETRAINED[family]).from_config(tiny_config(family, **changes)).save_pretrained(folder)
    return load_file(folder / "model.safetensors")


def rewrite(folder, tensors):
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, folder / "model.safetensors")


def reconfigure(folder, **keys):
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | keys))


def load(folder, family, labels=2, seed=0, quantisation=Quantisation.none, **settings):
    config = ModelConfig(name="mine", title="tiny", family=Family(family), path=str(folder), **settings)
    architecture = load_architecture(config, Head(labels) if family == "encoder" else None)
    torch.manual_seed(seed)
    return load_model(config, architecture, quantisation)


def refused(folder, family, **settings):
    with pytest.raises(UserError) as caught:
        load(folder, family, **settings)
    assert "\n" not in str(caught.value)
    assert str(folder) in str(caught.value)
    return str(caught.value)


every_family = pytest.mark.parametrize("family", PRETRAINED)


@every_family
def test_a_checkpoint_is_read_to_its_last_tensor(folder, family):
    stored = save(folder, family)
    loaded = load(folder, family).state_dict()
    for name, tensor in stored.items():
        if not name.startswith("lm_head") or family != "encoder":
            assert torch.equal(loaded[name], tensor), name


@every_family
def test_tensors_under_other_names_are_named_and_counted(folder, family):
    stored, layer = save(folder, family), LAYER[family]
    rewrite(folder, {name.replace(layer, f"{layer[:-2]}one."): tensor for name, tensor in stored.items()})
    count = sum(name.startswith(layer) for name in stored)
    said = refused(folder, family)
    assert f"lacks {count} of the" in said
    assert layer in said
    assert f"{layer[:-2]}one." in said


@every_family
def test_one_missing_tensor_is_enough(folder, family):
    stored = save(folder, family)
    name = next(name for name in stored if name.startswith(LAYER[family]))
    del stored[name]
    rewrite(folder, stored)
    assert name in refused(folder, family)


@every_family
def test_a_layer_more_than_the_configuration_says_is_not_left_out(folder, family):
    save(folder, family)
    fewer = {"num_layers": 1, "num_decoder_layers": 1} if family == "encoder_decoder" else {"num_hidden_layers": 1}
    reconfigure(folder, **fewer)
    assert "has no place for" in refused(folder, family)


@every_family
def test_sizes_that_differ_are_told(folder, family):
    save(folder, family)
    reconfigure(folder, vocab_size=61)
    said = refused(folder, family)
    assert "60 × 64 in the checkpoint" in said
    assert "61 × 64 by config.json" in said


@pytest.mark.parametrize(
    ("family", "stored", "claimed"),
    [
        ("encoder", "roberta", "bert"), ("encoder", "bert", "roberta"), ("encoder", "electra", "bert"),
        ("decoder", "qwen2", "llama"), ("decoder", "llama", "qwen2"), ("encoder_decoder", "t5", "mt5"),
    ],
)  # fmt: skip
def test_a_wrong_model_type_is_told_by_the_tensors(folder, family, stored, claimed):
    save(folder, family, model_type=stored)
    keys = {"feed_forward_proj": "gated-gelu", "is_gated_act": True} if claimed == "mt5" else {}
    reconfigure(folder, model_type=claimed, **keys)
    assert f"model_type '{claimed}'" in refused(folder, family)


def test_a_language_models_own_head_is_no_task_head(folder):
    stored = save(folder, "decoder")
    del stored["lm_head.weight"]
    rewrite(folder, stored)
    assert "lm_head.weight" in refused(folder, "decoder")


@every_family
def test_tied_tensors_are_stored_once_and_miss_nothing(folder, family):
    stored = save(folder, family, tie_word_embeddings=True)
    assert not any(name == "lm_head.weight" for name in stored)
    load(folder, family)


def test_a_base_without_any_head_is_as_good_as_one_with_another_tasks(folder):
    stored = save(folder, "encoder", transformers.AutoModel)
    loaded = load(folder, "encoder").state_dict()
    name = "encoder.layer.1.output.dense.weight"
    assert torch.equal(loaded[f"roberta.{name}"], stored[name])


def test_buffers_of_older_versions_are_no_weights(folder):
    stored = save(folder, "encoder")
    stored["roberta.embeddings.position_ids"] = torch.arange(66)[None]
    stored["roberta.embeddings.token_type_ids"] = torch.zeros(1, 66, dtype=torch.int64)
    rewrite(folder, stored)
    load(folder, "encoder")
    stored = save(folder, "decoder")
    stored["model.layers.0.self_attn.rotary_emb.inv_freq"] = torch.ones(8)
    rewrite(folder, stored)
    load(folder, "decoder")


@pytest.mark.parametrize(
    ("kind", "auto"),
    [("bert", transformers.AutoModelForPreTraining), ("electra", transformers.AutoModelForPreTraining),
     ("roberta", transformers.AutoModelForTokenClassification), ("camembert", transformers.AutoModelForMaskedLM),
     ("xlm-roberta", transformers.AutoModelForQuestionAnswering), ("ernie", transformers.AutoModelForMaskedLM)],
)  # fmt: skip
def test_heads_of_any_other_task_are_left_aside(folder, kind, auto):
    stored = save(folder, "encoder", auto, model_type=kind)
    loaded = load(folder, "encoder").state_dict()
    base = [name for name in stored if ".encoder." in name]
    assert base
    assert all(torch.equal(loaded[name], stored[name]) for name in base)


def test_a_pooler_that_the_model_does_not_use_is_left_aside(folder):
    stored = save(folder, "encoder")
    pooler = {"roberta.pooler.dense.weight": torch.zeros(64, 64), "roberta.pooler.dense.bias": torch.zeros(64)}
    rewrite(folder, stored | pooler)  # the published RoBERTa has one
    load(folder, "encoder")


def test_names_of_older_versions_are_understood(folder):
    stored = save(folder, "encoder", model_type="bert")
    older = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}
    for new, old in older.items():
        stored = {name.replace(new, old): tensor for name, tensor in stored.items()}
    rewrite(folder, stored)
    load(folder, "encoder")


def test_a_position_bias_that_t5_never_used_is_left_aside(folder):
    name = "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight"
    for kind in ("t5", "mt5"):
        keys = {"feed_forward_proj": "gated-gelu"} if kind == "mt5" else {}
        rewrite(folder, save(folder, "encoder_decoder", model_type=kind, **keys) | {name: torch.zeros(32, 4)})
        load(folder, "encoder_decoder")


@pytest.mark.parametrize("family", ["decoder", "encoder_decoder"])
def test_a_language_models_head_of_its_own_is_read_although_the_configuration_ties_it(folder, family):
    stored = save(folder, family, tie_word_embeddings=True)  # so do those of mT5, and of T5 1.1
    rewrite(folder, stored | {"lm_head.weight": torch.ones(60, 64)})
    loaded = load(folder, family).state_dict()
    assert loaded["lm_head.weight"].eq(1).all()
    assert all(torch.equal(loaded[name], tensor) for name, tensor in stored.items())


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused(folder, value):
    stored = save(folder, "encoder")
    name = "roberta.encoder.layer.0.output.dense.bias"
    stored[name][3] = value
    rewrite(folder, stored)
    assert f"1 tensor: {name}" in refused(folder, "encoder")


def test_large_weights_are_numbers(folder):
    stored = save(folder, "encoder")
    stored["roberta.encoder.layer.0.output.dense.bias"][:] = 3e38
    rewrite(folder, stored)
    load(folder, "encoder")


# The task head -------------------------------------------------------------------------------------------------------


def head_of(model):
    return {name: tensor for name, tensor in model.state_dict().items() if name.startswith("classifier.")}


def same(first, second):
    return all(torch.equal(first[name], second[name]) for name in first)


classifier = partial(save, family="encoder", auto=transformers.AutoModelForSequenceClassification)


@pytest.mark.parametrize("labels", [2, 3])
def test_a_fresh_head_is_the_seeds_whatever_the_checkpoint_brings(folder, tmp_path, labels):
    save(tmp_path / "bare", "encoder")
    fresh = head_of(load(tmp_path / "bare", "encoder"))
    stored = classifier(folder, num_labels=labels)
    replaced = head_of(load(folder, "encoder"))
    assert same(fresh, replaced)
    assert not torch.equal(replaced["classifier.dense.weight"], stored["classifier.dense.weight"])
    assert not same(fresh, head_of(load(folder, "encoder", seed=1)))


def test_the_checkpoints_head_is_taken_where_it_is_asked_for(folder):
    stored = classifier(folder, num_labels=2)
    for seed in (0, 1):
        assert same(head_of(load(folder, "encoder", seed=seed, head="checkpoint")), stored | {})


@pytest.mark.parametrize("make", [partial(classifier, num_labels=3), partial(save, family="encoder")])
def test_a_head_that_does_not_fit_or_is_not_there_is_refused(folder, make):
    make(folder)
    said = refused(folder, "encoder", head="checkpoint")
    assert "classifier." in said
    assert "model.head=fresh" in said


# Stored in fewer bits ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "described",
    [
        {"quant_method": "bitsandbytes", "load_in_4bit": True}, {"quant_method": "bitsandbytes", "load_in_8bit": True},
        {"quant_method": "gptq", "bits": 4}, {"quant_method": "awq", "bits": 4}, {"quant_method": "fp8"},
        {"quant_method": "compressed-tensors"}, {"quant_method": "of next year"},
    ],
)  # fmt: skip
def test_a_base_that_says_it_is_quantised_is_refused(folder, described):
    save(folder, "decoder")
    reconfigure(folder, quantization_config=described)
    for quantisation in Quantisation:
        assert described["quant_method"] in refused(folder, "decoder", quantisation=quantisation)


@pytest.mark.parametrize("dtype", [torch.int8, torch.uint8, torch.int32, torch.float8_e4m3fn, torch.float8_e5m2])
def test_a_base_that_is_quantised_without_saying_so_is_refused(folder, dtype):
    stored = save(folder, "decoder")
    name = "model.layers.0.mlp.up_proj.weight"
    rewrite(folder, stored | {name: stored[name].to(dtype)})
    assert f"stored quantised ({name}" in refused(folder, "decoder")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_floats_of_any_usual_width_are_read(folder, dtype):
    stored = save(folder, "decoder")
    rewrite(folder, {name: tensor.to(dtype) for name, tensor in stored.items()})
    assert next(load(folder, "decoder").parameters()).dtype == torch.float32


# What lies beside -----------------------------------------------------------------------------------------------------


def test_an_adapter_beside_the_base_is_left_out_of_it(folder):
    import peft

    save(folder, "decoder")
    before = load(folder, "decoder").state_dict()
    model = transformers.AutoModelForCausalLM.from_pretrained(folder)
    settings = peft.LoraConfig(r=2, target_modules=["q_proj"], init_lora_weights=False)
    peft.get_peft_model(model, settings).save_pretrained(folder)
    assert (folder / "adapter_model.safetensors").is_file()
    after = load(folder, "decoder").state_dict()
    assert before.keys() == after.keys()
    assert same(before, after)


def test_shards_of_a_distributed_checkpoint_are_refused(folder):
    stored = save(folder, "decoder")
    name = "shard-00000-model-00001-of-00001.safetensors"
    save_file({"lm_head.weight": stored["lm_head.weight"]}, folder / name)
    assert name in refused(folder, "decoder")


@pytest.mark.parametrize("name", ["config.json", "generation_config.json", "model.safetensors"])
def test_a_pointer_in_the_place_of_a_file_of_the_model_is_named(folder, name):
    save(folder, "encoder")
    (folder / name).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 4096\n")
    assert f"{name}: a Git LFS pointer" in refused(folder, "encoder")
    (folder / name).write_text("")
    assert f"{name}: the file is empty" in refused(folder, "encoder")
