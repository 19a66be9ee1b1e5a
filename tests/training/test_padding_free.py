"""`training.padding_free`: when a micro-batch is one row, what it changes, and what it does not."""

import json

import pytest
import torch

from bench.configuration.compose import build
from bench.configuration.schema import AttentionKind, TrainingConfig
from bench.data.example import Flattening, Padding
from bench.errors import UnsupportedError, UserError
from bench.methods.base import Method
from bench.running.runner import run_cell
from bench.training.batches import padded_count, target_count, token_count
from bench.training.largest import largest_steps
from bench.training.loop import batches_of
from bench.training.padding_free import settle_padding_free
from tests.cells import SHORT
from tests.fitted import examples
from tests.tiny import all_methods, settings_of, tiny_config, tiny_model, tiny_setting

LLAMA = ("model=miniature/llama", "task=miniature/mmlu", "device=cpu", *SHORT)
FLASH, SDPA, FLEX = AttentionKind.flash_attention_2, AttentionKind.sdpa, AttentionKind.flex
NEEDS_ROWS = {"prompt_tuning", "prefix_tuning", "propelt_prefix", "mam", "hybrid"}


def settled(
    *, wanted="auto", attention=FLASH, family="decoder", method="lora", peft=None, compiled=False, **architecture
):
    settings = settings_of(method)
    if peft is not None:
        settings = settings | {"settings": {"type": peft}}
    setting = tiny_setting(tiny_model(family), family)
    training = TrainingConfig(padding_free=wanted, compile=compiled)
    config = tiny_config(family, **architecture)
    return settle_padding_free(training, attention, config, build(settings, Method), setting)


def test_auto_takes_it_with_flash_attention_alone():
    assert settled().used
    found = [settled(attention=kind) for kind in (SDPA, AttentionKind.eager, FLEX)]
    assert [each.used for each in found] == [False, False, False]
    assert found[0].why == "training.padding_free=auto: sdpa computes all pairs of tokens of a row"
    assert not settled(wanted=False).used


def test_whoever_asks_for_it_gets_it_with_any_attention_whose_masks_are_known():
    assert settled(wanted=True, attention=SDPA).used
    assert settled(wanted=True, attention=AttentionKind.eager).used


REFUSED = [
    ({"family": "encoder"}, UnsupportedError, "this model is an encoder"),
    ({"family": "encoder_decoder"}, UnsupportedError, "this model is an encoder-decoder"),
    ({"problem_type": "regression"}, UnsupportedError, "a task head reads the last token of each row"),
    ({"model_type": "bloom"}, UnsupportedError, "type 'bloom' are not known"),
    ({"method": "prompt_tuning"}, UnsupportedError, "virtual tokens stand in front of a row"),
    ({"method": "prefix_tuning"}, UnsupportedError, "a prefix belongs to a row"),
    ({"method": "mam"}, UnsupportedError, "a prefix belongs to a row"),
    ({"method": "peft/any", "peft": "P_TUNING"}, UnsupportedError, "virtual tokens stand in front of a row"),
    ({"method": "peft/any", "peft": "CARTRIDGE"}, UnsupportedError, "a prefix belongs to a row"),
    ({"method": "peft/any", "peft": "LILY"}, UnsupportedError, "by all tokens of a batch"),
    ({"compiled": True}, UserError, r"not offered with training\.compile=true"),
    ({"attention": FLEX}, UserError, r"not offered with model\.attention=flex"),
]


@pytest.mark.parametrize(("given", "kind", "reason"), REFUSED)
def test_what_cannot_be_had_is_one_line_and_auto_does_without(given, kind, reason):
    with pytest.raises(kind, match=reason) as caught:
        settled(wanted=True, **given)
    assert str(caught.value).startswith("training.padding_free=true: ")
    assert str(caught.value).endswith("; say training.padding_free=auto")
    assert "\n" not in str(caught.value)
    found = settled(**given)
    assert not found.used
    assert found.why.startswith("training.padding_free=auto: ")


@pytest.mark.parametrize("name", all_methods())
def test_every_method_says_whether_it_needs_a_row_for_each_text(name):
    assert bool(build(settings_of(name), Method).row_limit) == (name in NEEDS_ROWS)


def test_a_word_that_is_none_is_refused(compose):
    with pytest.raises(UserError, match=r"training\.padding_free=sometimes must be auto, true or false"):
        compose(*LLAMA, "training.padding_free=sometimes")


@pytest.mark.parametrize("settings", [(), ("training.batch_size=8", "training.micro_batch_size=4")])
def test_a_training_has_the_losses_that_it_has_with_padding(compose, settings):
    cells = [
        compose(
            *LLAMA, "method=lora", "method.dropout=0", "training.log_every=1", *settings, f"training.padding_free={x}"
        )
        for x in ("false", "true")
    ]
    padded, flat = (run_cell(cell)[0] for cell in cells)
    losses = [[entry["loss"] for entry in record.metrics.losses] for record in (padded, flat)]
    assert len(losses[0]) == 6
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)
    assert flat.metrics.values == padded.metrics.values
    assert padded.environment["padding_free"] == {"used": False, "why": "training.padding_free=false"}
    assert flat.environment["padding_free"] == {"used": True, "why": "training.padding_free=true"}
    assert cells[0].id != cells[1].id


def test_a_record_says_why_it_was_not_taken(compose):
    record, path = run_cell(compose(*LLAMA, "method=lora", "training.max_steps=1"))
    said = json.loads(path.read_text())["environment"]["padding_free"]
    assert said == record.environment["padding_free"]
    assert said == {"used": False, "why": "training.padding_free=auto: sdpa computes all pairs of tokens of a row"}


def test_a_refusal_comes_before_a_weight_is_loaded(compose, monkeypatch):
    monkeypatch.setattr("bench.running.preparation.load_model", None)
    record, _ = run_cell(compose(*LLAMA, "method=prompt_tuning", "training.padding_free=true"))
    assert (record.status, record.error.message[:27]) == ("unsupported", "training.padding_free=true:")


def test_tokens_and_targets_are_counted_as_with_padding():
    rows = examples("decoder")
    flat, padded = Flattening()(rows), Padding(0)(rows)
    assert token_count(flat, targets_apart=False) == token_count(padded, targets_apart=False)
    assert padded_count(flat, targets_apart=False) == token_count(flat, targets_apart=False)
    assert target_count(flat) == target_count(padded)


def test_no_text_predicts_the_first_token_of_the_next():
    batch = Flattening()([{"input_ids": [5, 6, 7], "labels": [5, 6, 7]}, {"input_ids": [8, 9], "labels": [8, 9]}])
    assert batch["labels"].tolist() == [[-100, 6, 7, -100, 9]]
    assert batch["position_ids"].tolist() == [[0, 1, 2, 0, 1]]
    assert batch["cu_seq_lens_q"].tolist() == [0, 3, 5]
    assert "attention_mask" not in batch


def test_a_loader_hands_batches_through_and_a_resumed_one_goes_on():
    rows, training = examples("decoder"), TrainingConfig(batch_size=4, micro_batch_size=2)
    whole = batches_of(rows, Flattening(), training, 0, pin=False)
    steps = [next(whole) for _ in range(7)]
    resumed = next(batches_of(rows, Flattening(), training, 0, pin=False, done=6))
    assert [batch["input_ids"].tolist() for batch in resumed] == [batch["input_ids"].tolist() for batch in steps[6]]
    assert all(batch["input_ids"].shape[0] == 1 for step in steps for batch in step)


def test_the_step_of_most_tokens_is_the_largest(monkeypatch):
    monkeypatch.setattr("torch.randperm", lambda count, generator: torch.arange(count))
    rows = [{"input_ids": [1] * length, "labels": [1] * length} for length in (3, 3, 9, 1, 6, 6, 5, 5)]
    training = TrainingConfig(batch_size=2, length_grouped=False)
    assert largest_steps(rows, Flattening(), training, 0, total_steps=4) == {3}, "12 tokens, and the longest is in 2"
    assert largest_steps(rows, Padding(0), training, 0, total_steps=4) == {2}
