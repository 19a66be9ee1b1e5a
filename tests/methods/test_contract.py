"""What must hold of every method on every family; a new YAML in configs/method is tested without another line here."""

import copy
import itertools

import pytest
import torch
from safetensors.torch import load_file, save_file

from bench.configuration.compose import build
from bench.configuration.schema import Family
from bench.errors import UnsupportedError, UserError
from bench.metering.parameters import count_all, count_parameters
from bench.methods.base import Method
from bench.methods.folding import training_only
from bench.methods.lora_kin import Kin
from bench.methods.shared.mask_scores import MaskScores
from bench.methods.shared.sited_tuner import SitedTuner
from bench.models.head import head_parameters
from tests.tiny import Adapted, all_methods, logits_of, settings_of, tiny_batch, tiny_model

PAIRS = list(itertools.product(all_methods(), [family.value for family in Family]))
IDS = [f"{method}-{family}" for method, family in PAIRS]
every_pair = pytest.mark.parametrize(("name", "family"), PAIRS, ids=IDS)
# Where it is the method that matters: each on one family in turn; the other pairs are marked as slow.
in_turn = pytest.mark.parametrize(
    ("name", "family"),
    [
        pytest.param(name, family, id=f"{name}-{family}", marks=[] if index // 3 % 3 == index % 3 else pytest.mark.slow)
        for index, (name, family) in enumerate(PAIRS)
    ],
)


def is_tuner(name):
    """Whether it is one of the library's many tuners at linear layers, whose hooks are all alike."""
    return issubclass(type(build(settings_of(name), Method)), SitedTuner | Kin)


TUNERS = [name for name in all_methods() if is_tuner(name)]
# What takes long: of such a tuner on one family in turn.
tuners_in_turn = pytest.mark.parametrize(
    ("name", "family"),
    [
        pytest.param(name, family, id=f"{name}-{family}", marks=pytest.mark.slow if off_turn else [])
        for index, (name, family) in enumerate(PAIRS)
        for off_turn in [name in TUNERS and index // 3 % 3 != index % 3]
    ],
)


@every_pair
def test_at_the_start_it_computes_what_the_bare_model_does_or_says_why_not(name, family):
    adapted = Adapted(settings_of(name), family)
    batch = tiny_batch(family)
    bare = logits_of(tiny_model(family, adapted.setting.quantisation == "nf4"), batch)
    difference = (logits_of(adapted.model, batch) - bare).abs().max()
    if adapted.method.identity_at_start:
        assert difference < 1e-5
    else:
        assert adapted.method.why_not_identity
        assert difference > 1e-6 or name == "peft/any"


@every_pair
def test_only_what_is_declared_gets_gradients_and_changes(name, family):
    adapted = Adapted(settings_of(name), family)
    model, method = adapted.model, adapted.method
    before = {key: value.detach().clone() for key, value in model.named_parameters()}
    adapted.train(3)
    declared = {key: group.entries.get(key) for group in method.parameter_groups(model) for key, _ in group.parameters}
    head = {key for key, _ in head_parameters(model, adapted.setting.structure)}
    assert head <= declared.keys()
    for key, parameter in model.named_parameters():
        changed = parameter.detach() != before[key]
        if key not in declared:
            assert not parameter.requires_grad, key
            assert not changed.any(), key
        else:
            mask = declared[key] if declared[key] is not None else torch.ones_like(changed)
            assert changed.any() or not mask.any(), key
            assert not changed[~mask].any(), key


@tuners_in_turn
def test_twenty_steps_lower_the_loss(name, family):
    losses = Adapted(settings_of(name), family).train(20)
    assert losses[-1] < losses[0]


@in_turn
@pytest.mark.parametrize("steps", [1, 2, 3])
def test_a_short_trial_run_works_or_is_refused_before_it_starts(name, family, steps):
    try:
        adapted = Adapted(settings_of(name), family, total_steps=steps)
    except UserError as error:
        assert "steps" in str(error)  # noqa: PT017
        assert (name, steps) == ("adalora", 1), "AdaLoRA weighs in one step and drops in another"
        return
    assert len(adapted.train(steps)) == steps


@every_pair
def test_what_is_stored_gives_the_same_outputs_on_a_fresh_base(name, family, tmp_path):
    adapted = Adapted(settings_of(name), family)
    adapted.train(3)
    batch = tiny_batch(family, seed=5)
    expected = logits_of(adapted.model, batch)
    save_file(adapted.method.stored_state(adapted.model), tmp_path / "trained.safetensors")

    fresh = Adapted(settings_of(name), family, seed=2)
    fresh.method.load_stored_state(fresh.model, load_file(tmp_path / "trained.safetensors"))
    # VB-LoRA's last weight of a mixture is not stored but 1 less the others.
    assert (logits_of(fresh.model, batch) - expected).abs().max() < (1e-5 if name == "vblora" else 1e-6)


@every_pair
def test_the_stored_file_holds_nothing_frozen_and_its_size_is_as_counted(name, family):
    adapted = Adapted(settings_of(name), family)
    model, method = adapted.model, adapted.method
    counted = method.stored_count(model)
    adapted.train(1)
    state = method.stored_state(model)
    frozen = {key for key, parameter in model.named_parameters() if not parameter.requires_grad}
    spare = training_only(model)
    assert not state.keys() & frozen
    assert not state.keys() & {key for key, parameter in model.named_parameters() if id(parameter) in spare}
    size = sum(tensor.numel() * tensor.element_size() for tensor in state.values())
    masks = sum(isinstance(module, MaskScores) for module in model.modules())
    assert 0 <= size - 4 * counted < masks + 1  # a mask's last byte may be part empty


@every_pair
def test_counts_add_up(name, family):
    base = tiny_model(family)
    adapted = Adapted(settings_of(name), family)
    counts = count_parameters(adapted.model, adapted.method, adapted.setting.structure, count_all(base))
    assert counts.trainable == counts.method + counts.head + counts.training_only
    assert counts.base_total == sum(parameter.numel() for parameter in base.parameters())
    trained = sum(p.numel() for p in adapted.model.parameters() if p.requires_grad)
    assert counts.trainable == trained - adapted.method.held_count(adapted.model)


@tuners_in_turn
def test_a_checkpoint_goes_on_where_it_was_written(name, family):
    adapted = Adapted(settings_of(name), family)
    adapted.train(12)
    state = {key: value.clone() for key, value in adapted.method.checkpoint_state(adapted.model).items()}
    batch = tiny_batch(family)
    expected = logits_of(adapted.model, batch)
    adapted.train(2)
    adapted.method.load_checkpoint_state(adapted.model, state)
    assert torch.equal(logits_of(adapted.model, batch), expected)


@every_pair
def test_merged_it_computes_the_same_in_the_bases_own_class_or_refuses(name, family):
    adapted = Adapted(settings_of(name), family)
    adapted.train(3)
    batch = tiny_batch(family)
    mergeable = adapted.method.mergeable and not (family != "encoder" and "bitfit" in str(settings_of(name)))
    if not mergeable:
        with pytest.raises(UserError, match="cannot be merged") as caught:
            adapted.method.merge(adapted.model, adapted.setting)
        assert "\n" not in str(caught.value)
        return
    quantised = adapted.setting.quantisation == "nf4"
    expected = logits_of(adapted.model, batch)
    merged = adapted.method.merge(adapted.model, adapted.setting)
    assert type(merged) is type(tiny_model(family))
    assert {key for key, _ in merged.named_parameters()} == {key for key, _ in tiny_model(family).named_parameters()}
    # Four-bit layers compute in bf16, the dequantised ones in fp32; test_quantised.py compares like.
    assert (logits_of(merged, batch) - expected).abs().max() < (0.2 if quantised else 1e-4)


@in_turn
def test_it_survives_a_deep_copy(name, family):
    adapted = Adapted(settings_of(name), family)
    twin = copy.deepcopy(adapted.model)
    batch = tiny_batch(family)
    assert torch.equal(logits_of(twin, batch), logits_of(adapted.model, batch))
    trained = [parameter for parameter in twin.parameters() if parameter.requires_grad]
    with torch.no_grad():
        for parameter in trained:
            parameter.add_(0.1)
    assert not torch.equal(logits_of(twin, batch), logits_of(adapted.model, batch))


@tuners_in_turn
def test_gradient_checkpointing_changes_nothing_or_is_refused(name, family):
    batch = tiny_batch(family)
    plain = Adapted(settings_of(name), family)
    try:
        checkpointed = Adapted(settings_of(name), family, gradient_checkpointing=True)
    except UnsupportedError as error:
        assert "checkpointing" in str(error)  # noqa: PT017
        return
    assert close(gradients(plain.model, [batch]), gradients(checkpointed.model, [batch]), tolerance_of(name))


@tuners_in_turn
def test_accumulated_gradients_are_those_of_the_whole_batch(name, family):
    settings = without_dropout(settings_of(name))
    batch = tiny_batch(family)
    halves = [{key: value[part] for key, value in batch.items()} for part in (slice(0, 2), slice(2, 4))]
    model = Adapted(settings, family).model

    assert close(gradients(model, [batch]), gradients(model, halves), tolerance_of(name))


@in_turn
def test_bf16_autocast_stays_close_to_fp32(name, family):
    adapted = Adapted(settings_of(name), family)
    batch = tiny_batch(family)
    expected = logits_of(adapted.model, batch)
    with torch.autocast("cpu", torch.bfloat16):
        actual = logits_of(adapted.model, batch)
        adapted.model(**batch).loss.backward()
    scale = expected.abs().max()
    assert (actual.float() - expected).abs().max() < 0.05 * scale
    assert all(p.grad is None or p.grad.isfinite().all() for p in adapted.model.parameters())


@pytest.mark.parametrize("name", all_methods())
def test_an_unknown_setting_is_one_clear_line(name):
    with pytest.raises(UserError, match="unknown setting") as caught:
        Adapted(settings_of(name) | {"bottelneck": 3}, "encoder")
    assert "\n" not in str(caught.value)


def sizes():
    """Every size of every method, but VeRA's rank, which its paper has above the width."""
    keys = ("bottleneck", "r", "init_r", "num_virtual_tokens", "length", "reduction")
    return [(name, key) for name in all_methods() if name != "vera" for key in keys if key in settings_of(name)]


@pytest.mark.parametrize(("name", "key"), sizes())
@pytest.mark.parametrize("value", [0, -3, 1000])
def test_a_size_that_does_not_fit_is_refused_before_any_training(name, key, value):
    with pytest.raises(UserError) as caught:
        Adapted(settings_of(name) | {key: value}, "encoder")
    assert "\n" not in str(caught.value)
    assert str(value) in str(caught.value)


def gradients(model, batches):
    """Of the mean loss over all targets, in training mode."""
    model.train()
    model.zero_grad()
    counts = [targets(batch) for batch in batches]
    torch.manual_seed(3)
    for batch, count in zip(batches, counts, strict=True):
        (model(**batch).loss * count / sum(counts)).backward()
    return {key: parameter.grad.clone() for key, parameter in model.named_parameters() if parameter.grad is not None}


def targets(batch):
    """Over how many labels the loss is a mean."""
    return int(batch["labels"].ne(-100).sum())


def without_dropout(settings):
    return {
        key: without_dropout(value) if isinstance(value, dict) else 0.0 if key == "dropout" else value
        for key, value in settings.items()
    }


def close(first, second, tolerance):
    scale = max(gradient.abs().max() for gradient in first.values())
    return first.keys() == second.keys() and all(
        (first[key] - second[key]).abs().max() <= tolerance * scale for key in first
    )


def tolerance_of(name):
    """Four-bit layers compute in bf16: what is added in another order is rounded otherwise."""
    return 2e-2 if name == "qlora" else 1e-5
