"""`model.attention`, from the command line into every part of the model, the planned one included."""

import pytest
import torch
from transformers import PreTrainedModel, RobertaForSequenceClassification

from bench.configuration.compose import Configurations, build
from bench.configuration.schema import Precision
from bench.errors import UnsupportedError, UserError
from bench.metering.storages import CUDA_BLOCK
from bench.methods.base import Method
from bench.methods.shared.prefixed_attention import ATTENTION_LIMIT, use_prefixed_attention
from bench.models import attention
from bench.models.attention import Circumstances, settle
from bench.models.load import build_empty, load_architecture, load_model
from bench.planning.plan import plan
from bench.planning.predict import predict
from bench.running.runner import run_cell
from bench.sweeping.selection import selected
from tests.cells import MODELS, SHORT, TASKS
from tests.tiny import settings_of


def kinds_of(model):
    return {part.config._attn_implementation for part in model.modules() if isinstance(part, PreTrainedModel)}


@pytest.mark.parametrize("kind", ["sdpa", "eager"])
@pytest.mark.parametrize("weights", ["pretrained", "random"])
@pytest.mark.parametrize("family", MODELS)
def test_every_part_of_a_model_is_told(compose, family, weights, kind):
    names = f"model={MODELS[family]}", f"task={TASKS[family]}"
    base = compose(*names, f"model.weights={weights}", f"model.attention={kind}").base
    architecture = load_architecture(base, None)
    for model in (load_model(base, architecture), build_empty(base, architecture)):
        assert kinds_of(model) == {kind}


@pytest.mark.parametrize("weights", ["pretrained", "random"])
def test_a_method_s_attention_is_its_own_model_s_alone(compose, weights):
    base = compose(f"model.weights={weights}").base
    architecture = load_architecture(base, None)
    use_prefixed_attention(load_model(base, architecture))
    assert kinds_of(load_model(base, architecture)) == {"sdpa"}


def test_a_planned_encoder_keeps_the_softmax_of_all_pairs_of_tokens(compose):
    """Fused attention keeps a sum for each row instead, and two numbers for its dropout; bytes, fp32, no dropout."""
    batch, heads, length, layers = 4, 4, 32, 3
    names = "model=miniature/roberta", "method=full", f"training.batch_size={batch}", f"training.max_length={length}"
    cells = {kind: compose(*names, f"model.attention={kind}") for kind in ("sdpa", "eager")}
    assert compose(*names) == cells["sdpa"], "the default"
    kept = {kind: predict(cell, "cuda").parts.activations for kind, cell in cells.items()}
    rows = 4 * batch * heads * length
    assert kept["eager"] - kept["sdpa"] == layers * (rows * length - rows - 2 * CUDA_BLOCK)


def test_the_command_line_goes_before_an_experiment_s_grid():
    with Configurations() as configurations:
        given = ["experiment=survey/memory", "model=roberta_base", "method=full"]
        (own,) = selected(given, configurations.compose)
        (other,) = selected([*given, "model.attention=sdpa"], configurations.compose)
        first, second = configurations.cell(own), configurations.cell(other)
    assert (first.base.attention, second.base.attention) == ("eager", "sdpa")
    assert first.id != second.id


def test_a_word_in_the_architecture_that_is_none_of_it_is_refused(compose):
    cell = compose("model=roberta_base", "+model.architecture.attn_implementation=eager")
    with pytest.raises(UserError, match=r"model\.attention"):
        predict(cell, "cuda")


CUDA, BF16, HALF = torch.device("cuda"), Precision.bf16, ("model.dtype=bfloat16",)


def settled(compose, model="miniature/roberta", attention="auto", here=True, **given):
    base = compose(f"model={model}", "model.weights=random", f"model.attention={attention}").base
    circumstances = Circumstances(**({"device": CUDA, "precision": BF16, "planned": not here} | given))
    return settle(base, load_architecture(base, None), circumstances).attention


@pytest.mark.parametrize(
    ("model", "given", "taken"),
    [
        ("miniature/roberta", {}, "flash_attention_2"),
        ("miniature/llama", {"precision": Precision.fp16}, "flash_attention_2"),
        ("miniature/llama", {"precision": Precision.fp32}, "sdpa"),
        ("miniature/llama", {"device": torch.device("cpu")}, "sdpa"),
        ("miniature/llama", {"limit": ATTENTION_LIMIT}, "sdpa"),
        ("miniature/t5", {}, "sdpa"),  # its position bias is nothing that the package knows
    ],
)
def test_auto_takes_the_best_that_can_be_had(compose, monkeypatch, model, given, taken):
    monkeypatch.setattr(attention, "lack_of_flash_attention", lambda: None)
    assert settled(compose, model, **given) == taken


def test_auto_without_the_package_or_the_fused_kernel(compose, monkeypatch):
    assert settled(compose) == settled(compose, here=False) == "sdpa", "flash-attn is not installed with the tests"
    monkeypatch.setattr(RobertaForSequenceClassification, "_supports_sdpa", False)
    assert settled(compose) == "eager"


def test_an_older_gpu_has_no_flash_attention(compose, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda *_: (7, 5))
    monkeypatch.setattr(attention, "is_flash_attn_greater_or_equal", lambda _: True)
    assert settled(compose) == "sdpa"
    with pytest.raises(UserError, match=r"capability 8\.0"):
        settled(compose, attention="flash_attention_2")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda *_: (8, 0))
    assert settled(compose) == "flash_attention_2"


@pytest.mark.parametrize(
    ("model", "kind", "given", "reason"),
    [
        ("miniature/roberta", "flash_attention_2", {}, "flash-attn >= 2.3.3 is not installed"),
        ("miniature/roberta", "flash_attention_2", {"device": torch.device("cpu")}, "not for device=cpu"),
        ("miniature/roberta", "flash_attention_2", {"precision": Precision.fp32}, r"not in training\.precision=fp32"),
        ("miniature/t5", "flash_attention_2", {}, "does not have it"),
        ("miniature/llama", "flash_attention_2", {"limit": ATTENTION_LIMIT}, "prefixes need sdpa or eager"),
        ("miniature/llama", "flex", {"limit": ATTENTION_LIMIT}, "prefixes need sdpa or eager"),
        ("miniature/llama", "flex", {"device": torch.device("cpu")}, "no backward pass for device=cpu"),
        ("roberta_base", "flex", {}, r"attention_probs_dropout_prob=0\.1"),
    ],
)
def test_what_cannot_be_had_is_one_line(compose, model, kind, given, reason):
    with pytest.raises(UserError, match=reason) as caught:
        settled(compose, model, kind, **given)
    assert "\n" not in str(caught.value)


def test_a_class_without_flex_attention(compose, monkeypatch):
    assert settled(compose, attention="flex") == "flex"
    monkeypatch.setattr(RobertaForSequenceClassification, "_supports_flex_attn", False)
    with pytest.raises(UnsupportedError, match=r"class of miniature/roberta"):
        settled(compose, attention="flex")


def test_it_is_refused_before_a_weight_is_loaded(compose, monkeypatch):
    monkeypatch.setattr("bench.running.preparation.load_model", None)
    with pytest.raises(UserError, match="not for device=cpu"):
        run_cell(compose("model=miniature/roberta", "model.attention=flash_attention_2", "device=cpu", *SHORT))


def test_a_record_says_what_was_taken(compose):
    record, _ = run_cell(compose("model=miniature/roberta", "model.attention=auto", "device=cpu", *SHORT))
    assert record.environment["attention"] == "sdpa"


@pytest.mark.parametrize("method", ["lora", "mam", "prefix_tuning", "propelt_prefix", "peft/any"])
def test_methods_say_whether_they_put_prefixes_into_attention(method):
    settings = settings_of(method)
    if method == "peft/any":
        settings = settings | {"settings": {"type": "CARTRIDGE"}}
    assert bool(build(settings, Method).attention_limit) == (method != "lora")


def test_a_plan_takes_what_the_planned_device_would(compose):
    cells = [compose("model=miniature/roberta", *HALF, f"model.attention={kind}") for kind in ("auto", "sdpa")]
    first, second = plan(cells)
    assert first.prediction == second.prediction
    assert first.to_dict()["attention"] == "sdpa"
    assert "model.attention=auto: predicted with sdpa" in first.note
    (flash,) = plan([compose("model=miniature/roberta", *HALF, "model.attention=flash_attention_2")])
    assert (flash.prediction.attention, flash.prediction.peak) == ("flash_attention_2", first.prediction.peak)
    assert "fused" in flash.note
    assert not flash.prediction.padding_free, "an encoder's"
    (wide,) = plan([compose("model=miniature/roberta", "model.attention=flash_attention_2")])
    assert "training.precision=fp32" in wide.reason


def test_a_plan_with_flash_attention_has_padding_free_batches_as_large_as_the_largest_padded_ones(compose):
    names = "model=miniature/llama", "task=miniature/mmlu", "method=lora", *HALF, "model.attention=flash_attention_2"
    free, padded = plan([compose(*names), compose(*names, "training.padding_free=false")])
    assert (free.to_dict()["padding_free"], padded.to_dict()["padding_free"]) == (True, False)
    assert free.prediction.peak == pytest.approx(padded.prediction.peak, rel=0.01)
    assert free.prediction.flops == padded.prediction.flops
    assert "each in a row" in free.note
    assert "each in a row" not in (padded.note or "")
