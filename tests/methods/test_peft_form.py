"""What a method of the peft library leaves is read by the library alone: `PeftModel.from_pretrained(base, folder)`."""

import itertools
import json

import peft
import pytest
import torch

from bench.configuration.compose import build
from bench.configuration.schema import Family
from bench.errors import UserError
from bench.methods.base import Method
from bench.methods.peft_any import TYPES
from bench.methods.shared.peft_library import PeftMethod
from bench.records.trained import Trained, read_trained, write_trained
from scripts.model_kinds import KINDS as KINDS_OF_MODELS
from scripts.model_kinds import kind_model
from tests.methods.peft_settings import FITTING
from tests.tiny import HEAD, Adapted, all_methods, logits_of, settings_of, tiny_batch, tiny_model

OF_THE_LIBRARY = [name for name in all_methods() if isinstance(build(settings_of(name), Method), PeftMethod)]
# A family, and whether its model has a task head, as an encoder's always has.
KINDS = {
    "encoder": ("encoder", False), "encoder_decoder": ("encoder_decoder", False), "decoder": ("decoder", False),
    "encoder_decoder_head": ("encoder_decoder", True), "decoder_head": ("decoder", True),
}  # fmt: skip
PAIRS = list(itertools.product(OF_THE_LIBRARY, KINDS))
# Each method on one kind in turn, the rest is slow.
in_turn = [
    pytest.param(*pair, id="-".join(pair), marks=[] if index % 5 == index // 5 % 5 else pytest.mark.slow)
    for index, pair in enumerate(PAIRS)
]
CELL = "0" * 64
WITH_OWN_FORM = {
    ("prefix_tuning", "encoder_decoder"): "nothing of the peft library's is in this model",
    ("prefix_tuning", "encoder_decoder_head"): "nothing of the peft library's is in this model",
}
# Of k weights that add up to 1 the form keeps all but the last, which is found again with the rounding of the others.
CLOSE = {"vblora": 1e-5}
REFUSED = {("prompt_tuning", "encoder_decoder_head")}


def base_of(kind, nf4=False):
    """The same base at every call."""
    family, has_head = KINDS[kind]
    return tiny_model(family, nf4, **(HEAD if has_head else {}))


def plain(model):
    """As transformers' own class has it: ours reads the last token by the attention mask."""
    if type(model).forward.__module__.startswith("bench."):
        model.__class__ = type(model).__mro__[1]
    return model


def batch_of(kind, padded=True):
    family, has_head = KINDS[kind]
    batch = tiny_batch(family, has_head=has_head)
    batch["input_ids"][batch["attention_mask"].cumsum(1) == batch["attention_mask"].sum(1, keepdim=True)] = 2
    batch["input_ids"][batch["attention_mask"] == 0] = 0  # one end token in each text, as T5's head asks for
    if family == "encoder_decoder" and not has_head:
        batch["decoder_input_ids"] = torch.randint(3, 60, (4, 5), generator=torch.Generator().manual_seed(1))
    return batch if padded else {name: tensor[:1] for name, tensor in batch.items()}


def outputs(model, batch):
    """Without a loss, to which AdaLoRA adds something in training only."""
    model.eval()
    with torch.no_grad():
        logits = model(**{name: tensor for name, tensor in batch.items() if name != "labels"}).logits
    if logits.ndim == 3 and "decoder_input_ids" not in batch:
        return logits[:, -batch["input_ids"].shape[1] :][batch["attention_mask"] == 1]
    return logits


def saved(adapted, folder):
    """Written as a cell writes it."""
    state = adapted.method.stored_state(adapted.model)
    form = adapted.method.peft_form(adapted.model, adapted.setting, state)
    write_trained(folder, Trained(form.tensors, form.settings), keep=True, config_hash=CELL)
    return folder / "trained"


@pytest.mark.parametrize(("name", "kind"), in_turn)
@pytest.mark.filterwarnings("ignore")
def test_the_library_and_we_read_the_same_outputs_from_the_folder(name, kind, tmp_path):
    family, _ = KINDS[kind]
    nf4 = name == "qlora"
    if (name, kind) in REFUSED:
        pytest.skip("the method and the model do not go together")
    adapted = Adapted(settings_of(name), family, base=base_of(kind, nf4))
    adapted.train(2)
    reason = adapted.method.why_no_peft_form(adapted.model, adapted.setting)
    assert reason == WITH_OWN_FORM.get((name, kind), "")
    if reason:
        return
    folder = saved(adapted, tmp_path)
    assert sorted(path.name for path in folder.iterdir()) == [
        "adapter_config.json", "adapter_model.safetensors", "manifest.json"
    ]  # fmt: skip
    # A decoder's head looks for the last token by the padding token, which embeddings of a prompt do not tell.
    batch = batch_of(kind, padded=(name, kind) != ("prompt_tuning", "decoder_head"))
    expected = outputs(adapted.model, batch)
    theirs = peft.PeftModel.from_pretrained(plain(base_of(kind, nf4)), folder)
    assert (outputs(theirs, batch) - expected).abs().max() < CLOSE.get(name, 1e-6)

    fresh = Adapted(settings_of(name), family, seed=2, base=base_of(kind, nf4))
    assert (outputs(fresh.model, batch) - expected).abs().max() > 1e-6
    fresh.method.load_peft_form(fresh.model, fresh.setting, read_trained(tmp_path, CELL).tensors)
    assert (outputs(fresh.model, batch) - expected).abs().max() < CLOSE.get(name, 1e-6)


@pytest.mark.parametrize("family", ["encoder", "decoder"])
@pytest.mark.filterwarnings("ignore")
def test_a_prefix_that_was_trained_through_a_network_is_the_librarys_table(family, tmp_path):
    settings = settings_of("prefix_tuning") | {"inner": 16}
    adapted = Adapted(settings, family)
    adapted.train(2)
    theirs = peft.PeftModel.from_pretrained(base_of(family), saved(adapted, tmp_path))
    assert (logits_of(theirs, tiny_batch(family)) - logits_of(adapted.model, tiny_batch(family))).abs().max() < 1e-6


@pytest.mark.parametrize(
    "kind", [pytest.param(k, marks=[] if k == "LORA" else pytest.mark.slow) for k in sorted(TYPES)]
)
@pytest.mark.filterwarnings("ignore")
def test_every_type_of_the_library_is_read_by_it_or_says_why_not(kind, tmp_path):
    for family in ("encoder", "decoder"):
        try:
            settings = settings_of("peft/any") | {"settings": {"type": kind, **FITTING.get(kind, {})}}
            adapted = Adapted(settings, family)
            adapted.train(2)
        except UserError:
            continue
        if adapted.method.why_no_peft_form(adapted.model, adapted.setting):
            continue
        theirs = peft.PeftModel.from_pretrained(base_of(family), saved(adapted, tmp_path))
        assert (outputs(theirs, batch_of(family)) - outputs(adapted.model, batch_of(family))).abs().max() < 1e-6, family


def test_the_configuration_says_what_there_is_to_say_of_the_base_and_the_head(tmp_path):
    adapted = Adapted(settings_of("lora"), "encoder")
    state = adapted.method.stored_state(adapted.model)
    form = adapted.method.peft_form(adapted.model, adapted.setting, state, "roberta-base")
    assert form.settings["base_model_name_or_path"] == "roberta-base"
    assert form.settings["modules_to_save"] == ["classifier"]
    assert form.settings["task_type"] == "SEQ_CLS"
    assert form.settings["inference_mode"] is True
    json.dumps(form.settings)


def test_tensors_of_another_model_are_refused():
    adapted = Adapted(settings_of("lora"), "encoder")
    state = adapted.method.stored_state(adapted.model)
    tensors = adapted.method.peft_form(adapted.model, adapted.setting, state).tensors
    other = Adapted(settings_of("lora"), "decoder")
    with pytest.raises(UserError, match="does not fit the model"):
        other.method.load_peft_form(other.model, other.setting, tensors)


def test_a_method_of_our_own_says_why_it_has_no_such_form():
    adapted = Adapted(settings_of("bitfit"), "encoder")
    assert adapted.method.why_no_peft_form(adapted.model, adapted.setting) == "BitFit is not the peft library's"
    with pytest.raises(UserError, match="BitFit is not the peft library's"):
        adapted.method.peft_form(adapted.model, adapted.setting, {})


EVERY_KIND = [(family.value, kind) for family in KINDS_OF_MODELS for kind in KINDS_OF_MODELS[family]]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lora", "ia3", "ln_tuning", "prompt_tuning", "prefix_tuning"])
@pytest.mark.parametrize(("family", "kind"), EVERY_KIND, ids=str)
@pytest.mark.filterwarnings("ignore")
def test_on_every_kind_of_model_the_library_reads_it_or_we_say_why_not(name, family, kind, tmp_path):
    try:
        adapted = Adapted(settings_of(name), family, base=kind_model(Family(family), kind))
        adapted.train(2)
    except UserError as error:
        pytest.skip(str(error))
    if reason := adapted.method.why_no_peft_form(adapted.model, adapted.setting):
        pytest.skip(reason)
    theirs = peft.PeftModel.from_pretrained(plain(kind_model(Family(family), kind)), saved(adapted, tmp_path))
    batch = tiny_batch(family)
    assert (logits_of(theirs, batch) - logits_of(adapted.model, batch)).abs().max() < 1e-6


@pytest.mark.filterwarnings("ignore")
def test_factors_of_experts_are_read_too(tmp_path):
    settings = settings_of("lora") | {"sites": {"decoder": ["query", "expert_input", "expert_output"]}}
    adapted = Adapted(settings, "decoder", base=kind_model(Family.decoder, "mixtral"))
    adapted.train(2)
    theirs = peft.PeftModel.from_pretrained(kind_model(Family.decoder, "mixtral"), saved(adapted, tmp_path))
    batch = tiny_batch("decoder")
    assert (logits_of(theirs, batch) - logits_of(adapted.model, batch)).abs().max() < 1e-6
