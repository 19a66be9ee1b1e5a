"""A task head on a decoder or an encoder-decoder reads the last token of the text, however the batch is padded."""

import copy
from dataclasses import replace

import pytest
import torch
import transformers

from bench.configuration.schema import Family, HeadWeights, ModelConfig, Weights
from bench.errors import UnsupportedError, UserError
from bench.models.auto_classes import auto_class
from bench.models.families import structure_of
from bench.models.head import Head
from bench.models.last_token import last_positions
from bench.models.load import build_empty, load_architecture, load_model
from bench.models.remarks import check_head_choice
from scripts.model_kinds import kind_model
from tests.tiny import HEAD, Adapted, settings_of, tiny_config, tiny_model

END, PAD, CLASSES = 2, 0, 3
LONGEST = 9
KIND_OF = {"llama": "decoder", "gpt2": "decoder", "opt": "decoder", "bloom": "decoder", "t5": "encoder_decoder",
           "bart": "encoder_decoder", "mbart": "encoder_decoder"}  # fmt: skip
HEADS = {"decoder": "score", "encoder_decoder": "classification_head"}


def texts():
    generator = torch.Generator().manual_seed(0)
    return [[*torch.randint(3, 60, (length,), generator=generator).tolist(), END] for length in (8, 4, 6)]


def padded(side="right", token=PAD, labels=(0, 2, 1)):
    rows = texts()
    gaps = [LONGEST - len(row) for row in rows]
    ids, mask = (
        [fill * gap + row if side == "left" else row + fill * gap for row, gap in zip(filled, gaps, strict=True)]
        for filled, fill in ((rows, [token]), ([[1] * len(row) for row in rows], [0]))
    )
    batch = {"input_ids": ids, "attention_mask": mask, "labels": labels}
    return {key: torch.tensor(value) for key, value in batch.items()}


def alone(model):
    """The logits of each text, without any padding."""
    single = [torch.tensor([row]) for row in texts()]
    return torch.cat([logits(model, {"input_ids": ids, "attention_mask": torch.ones_like(ids)}) for ids in single])


def model_of(kind, **changes):
    return kind_model(Family(KIND_OF[kind]), kind, **(HEAD | {"num_labels": CLASSES} | changes)).eval()


def theirs(model):
    """The same weights in transformers' own class."""
    own = type(model).__mro__[1](copy.deepcopy(model.config)).eval()
    own.load_state_dict(model.state_dict())
    return own


def logits(model, batch):
    with torch.no_grad():
        return model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits


@pytest.mark.parametrize("regression", [False, True])
@pytest.mark.parametrize("kind", KIND_OF)
def test_where_transformers_reads_the_last_token_too_logits_and_loss_are_its_own(kind, regression):
    model = model_of(kind, **({"num_labels": 1, "problem_type": "regression"} if regression else {}))
    own, batch = theirs(model), padded(labels=(0.0, 2.5, 1.0) if regression else (0, 2, 1))
    assert type(own).forward is not type(model).forward
    ours, expected = model(**batch), own(**batch)
    assert torch.allclose(ours.logits, expected.logits, atol=1e-6)
    assert torch.allclose(ours.loss, expected.loss, atol=1e-6)


@pytest.mark.parametrize("end", ["own", "padding", "none"])
@pytest.mark.parametrize("kind", ["llama", "gpt2", "opt", "bloom", "t5"])
def test_padding_on_either_side_changes_nothing_whatever_the_padding_token_is(kind, end):
    model = model_of(kind)
    if end == "none" and kind != "opt":  # OPT's embedding asks for one
        model.config.pad_token_id = None
    token = END if end == "padding" else PAD
    with torch.no_grad():
        expected = torch.cat([model(input_ids=torch.tensor([row])).logits for row in texts()])
    assert torch.allclose(alone(model), expected, atol=1e-6)
    for side in ("right", "left"):
        assert torch.allclose(logits(model, padded(side, token)), expected, atol=1e-5), side


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_embeddings_in_place_of_tokens_are_read_as_the_tokens(kind):
    model, batch = model_of(kind), padded()
    embedded = model.get_input_embeddings()(batch["input_ids"])
    found = model(inputs_embeds=embedded, attention_mask=batch["attention_mask"]).logits
    assert torch.allclose(found, logits(model, batch), atol=1e-6)


@pytest.mark.parametrize("name", ["prompt_tuning", "prefix_tuning", "mam", "propelt_prefix"])
@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_virtual_tokens_in_front_do_not_move_the_last_one(kind, name):
    adapted = Adapted(settings_of(name), "decoder", base=model_of(kind))
    model = adapted.model.eval()
    expected = alone(model)
    for side in ("right", "left"):
        assert torch.allclose(logits(model, padded(side)), expected, atol=1e-5), side


def test_the_last_position_is_that_of_the_masks_last_columns():
    mask = torch.tensor([[1, 1, 1, 1, 0, 0], [1, 1, 0, 1, 1, 1], [1, 1, 0, 0, 0, 0]])
    assert last_positions(mask, 6).tolist() == [3, 5, 1]
    assert last_positions(mask, 4).tolist() == [1, 3, 0], "two columns are a prefix's"
    assert last_positions(mask.float(), 4).tolist() == [1, 3, 0]


@pytest.mark.parametrize("kind", ["llama", "t5"])
def test_the_class_keeps_its_name_and_survives_copying_and_saving(kind, tmp_path):
    model, batch = model_of(kind), padded()
    twin = copy.deepcopy(model)
    assert type(twin) is type(model) is type(model_of(kind))
    assert torch.equal(logits(twin, batch), logits(model, batch))
    model.save_pretrained(tmp_path)
    assert transformers.AutoConfig.from_pretrained(tmp_path).architectures == [type(model).__name__]
    loaded = transformers.AutoModelForSequenceClassification.from_pretrained(tmp_path)
    assert loaded.__class__ is type(model).__mro__[1]


@pytest.mark.parametrize("kind", KIND_OF)
def test_the_head_is_known_and_the_blocks_are_where_they_were(kind):
    family = Family(KIND_OF[kind])
    structure = structure_of(model_of(kind), family)
    assert structure.head == (HEADS[family],)
    without = structure_of(kind_model(family, kind), family)
    assert without.head == ()
    assert len(structure.linears) == len(without.linears) > 0
    assert [path.removeprefix("transformer.") for path in structure.linears] == [
        path.removeprefix("transformer.") for path in without.linears
    ]


@pytest.mark.parametrize("kind", ["llama", "t5"])
def test_its_structure_can_be_discovered_too(kind):
    family = Family(KIND_OF[kind])
    model = model_of(kind)
    assert structure_of(model, family, "discover").linears == structure_of(model, family).linears


# From a checkpoint ----------------------------------------------------------------------------------------------------


def saved(folder, family, auto=None, **changes):
    torch.manual_seed(3)
    model = (auto or auto_class(Family(family), tiny_config(family))).from_config(tiny_config(family, **changes))
    model.save_pretrained(folder)
    return model.state_dict()


def configured(folder, family, **settings):
    return ModelConfig(name="mine", title="tiny", family=Family(family), path=str(folder), **settings)


def load(folder, family, head_of_task, seed=0, **settings):
    config = configured(folder, family, **settings)
    architecture = load_architecture(config, head_of_task)
    torch.manual_seed(seed)
    return load_model(config, architecture)


def head_of(model, family):
    return {name: tensor for name, tensor in model.state_dict().items() if name.startswith(HEADS[family])}


@pytest.mark.parametrize("family", HEADS)
def test_a_language_model_gives_its_base_and_its_own_head_is_left_out(family, tmp_path):
    stored = saved(tmp_path, family)
    model = load(tmp_path, family, Head(CLASSES), dtype="bfloat16")
    loaded = {name.removeprefix("transformer."): tensor for name, tensor in model.state_dict().items()}
    assert "lm_head.weight" in stored
    for name, tensor in stored.items():
        if name != "lm_head.weight":
            assert torch.equal(loaded[name].float(), tensor), name
    assert not any("lm_head" in name for name in loaded)
    assert all(tensor.dtype == torch.float32 for tensor in head_of(model, family).values())


@pytest.mark.parametrize("family", HEADS)
def test_a_fresh_head_is_the_seeds_whatever_the_checkpoint_brings(family, tmp_path):
    saved(tmp_path / "written", family)
    saved(tmp_path / "classifies", family, transformers.AutoModelForSequenceClassification, **HEAD)
    first, same, other = (
        head_of(load(tmp_path / name, family, Head(2), seed=seed), family)
        for name, seed in (("written", 1), ("classifies", 1), ("written", 2))
    )
    assert first.keys() == same.keys()
    assert all(torch.equal(first[name], same[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)


@pytest.mark.parametrize("family", HEADS)
def test_a_classifiers_checkpoint_brings_its_head_and_has_to_fit(family, tmp_path):
    stored = saved(tmp_path, family, transformers.AutoModelForSequenceClassification, **HEAD)
    found = head_of(load(tmp_path, family, Head(2), head="checkpoint"), family)
    assert found
    assert all(torch.equal(tensor, stored[name]) for name, tensor in found.items())
    with pytest.raises(UserError, match="does not fit the task"):
        load(tmp_path, family, Head(CLASSES), head="checkpoint")
    saved(tmp_path, family)
    with pytest.raises(UserError, match="has no head for this task"):
        load(tmp_path, family, Head(2), head="checkpoint")


def test_a_classifiers_checkpoint_is_a_language_model_only_with_a_language_models_head(tmp_path):
    saved(tmp_path, "decoder", transformers.AutoModelForSequenceClassification, **HEAD)
    assert load_architecture(configured(tmp_path, "decoder"), None).problem_type is None
    with pytest.raises(UserError, match=r"lm_head\.weight"):
        load(tmp_path, "decoder", None)


# What cannot be had ---------------------------------------------------------------------------------------------------


def refusal(call, *arguments, kind=UserError, **settings):
    with pytest.raises(kind) as caught:
        call(*arguments, **settings)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("family", "kind"),
    [("decoder", "granite"), ("decoder", "mamba"), ("decoder", "bert"), ("encoder_decoder", "marian")],
)
def test_a_type_without_a_head_that_reads_the_last_token_is_refused_before_loading(family, kind):
    architecture = {"model_type": kind, "vocab_size": 60}
    config = ModelConfig("mine", "tiny", Family(family), weights=Weights.random, architecture=architecture)
    said = refusal(build_empty, config, load_architecture(config, Head(2)))
    assert f"'{kind}'" in said
    assert "task.answer=words" in said


def test_a_type_of_another_family_is_refused_as_without_a_head(tmp_path):
    saved(tmp_path, "encoder_decoder")
    config = configured(tmp_path, "decoder")
    for head in (None, Head(2)):
        assert "no decoder model" in refusal(build_empty, config, load_architecture(config, head))


def test_the_checkpoints_head_is_refused_where_the_task_takes_a_language_model():
    config = ModelConfig("mine", "tiny", Family.decoder, path="somewhere", head=HeadWeights.checkpoint)
    structure = structure_of(tiny_model("decoder"), Family.decoder)
    assert "no task head for this task" in refusal(check_head_choice, config, structure)
    check_head_choice(config, structure_of(tiny_model("decoder", **HEAD), Family.decoder))
    at_random = replace(config, weights=Weights.random)
    assert "needs a checkpoint" in refusal(check_head_choice, at_random, replace(structure, head=("score",)))


def test_embeddings_alone_are_refused_by_an_encoder_decoder():
    model = model_of("t5")
    refusal(model, inputs_embeds=torch.zeros(1, 3, 64), kind=UnsupportedError)


def test_a_decoder_starts_with_padding_unless_told_otherwise_and_is_refused_without_either():
    told, untold = (tiny_model("encoder_decoder", **HEAD, decoder_start_token_id=token) for token in (PAD, None))
    assert torch.equal(logits(untold, padded()), logits(told, padded()))
    said = refusal(tiny_model, "encoder_decoder", **HEAD, decoder_start_token_id=None, pad_token_id=None)
    assert "decoder_start_token_id" in said
