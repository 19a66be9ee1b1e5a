"""Methods on a four-bit base, on the CPU."""

import copy

import pytest
import torch

from bench.configuration.schema import Optimiser, Quantisation
from bench.errors import UnsupportedError
from bench.metering.parameters import count_all
from bench.models.quantisation import dequantise, is_quantised
from tests.tiny import Adapted, logits_of, settings_of, tiny_batch, tiny_model

FAMILIES = ["encoder", "encoder_decoder", "decoder"]
FITTING = ["lora", "ia3", "adalora", "adapter_s", "adapter_pfeiffer", "adapter_parallel", "mam", "prefix_tuning",
           "prompt_tuning", "propelt_adapter", "propelt_lora", "propelt_prefix"]  # fmt: skip


def on_nf4(name, family):
    return Adapted(settings_of(name), family, base=tiny_model(family, nf4=True), quantisation=Quantisation.nf4)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_base_is_counted_by_its_weights_not_its_bytes(family):
    quantised = tiny_model(family, nf4=True)
    assert is_quantised(quantised)
    assert count_all(quantised) == count_all(tiny_model(family))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("name", FITTING)
def test_methods_train_on_it_and_leave_it_alone(name, family):
    adapted = on_nf4(name, family)
    packed = {k: p.detach().clone() for k, p in adapted.model.named_parameters() if not p.requires_grad}
    losses = adapted.train(8)
    assert losses[-1] < losses[0]
    for key, parameter in adapted.model.named_parameters():
        assert key not in packed or torch.equal(parameter, packed[key])


@pytest.mark.parametrize("name", ["full", "bitfit", "child_tuning_d", "child_tuning_f"])
def test_methods_that_train_the_base_refuse_it(name):
    with pytest.raises(UnsupportedError, match="nf4"):
        on_nf4(name, "encoder")


@pytest.mark.parametrize("family", FAMILIES)
def test_an_evaluation_in_between_does_not_stop_the_training(family):
    adapted = on_nf4("lora", family)
    first = adapted.train(4)
    logits_of(adapted.model, tiny_batch(family))
    second = adapted.train(4)
    assert second[-1] < first[0]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("name", ["qlora", "lora", "ia3", "adalora"])
def test_merged_into_a_dequantised_base_it_computes_what_it_does_over_one(name, family):
    adapted = on_nf4(name, family)
    adapted.train(3)
    batch = tiny_batch(family)
    # The same adapter, unmerged, over the dequantised base.
    over = Adapted(settings_of(name) | {}, family, base=dequantise(tiny_model(family, nf4=True)))
    over.method.load_stored_state(over.model, adapted.method.stored_state(adapted.model))
    expected = logits_of(over.model, batch)
    merged = adapted.method.merge(adapted.model, adapted.setting)
    assert not is_quantised(merged)
    assert type(merged) is type(tiny_model(family))
    assert (logits_of(merged, batch) - expected).abs().max() < 1e-4


def test_dequantised_weights_are_near_the_original_and_biases_stay():
    original, back = tiny_model("encoder"), dequantise(tiny_model("encoder", nf4=True))
    name = "roberta.encoder.layer.0.intermediate.dense"
    first, second = original.get_submodule(name), back.get_submodule(name)
    assert (first.weight - second.weight).abs().max() < 0.2 * first.weight.abs().max()
    assert (first.bias - second.bias).abs().max() < 0.01


def test_qlora_asks_for_its_base_and_its_optimizer():
    adapted = Adapted(settings_of("qlora"), "decoder")
    assert adapted.method.load_options().quantisation == Quantisation.nf4
    assert adapted.method.optimiser() == Optimiser.paged_adamw
    assert copy.deepcopy(adapted.method).optimiser() == Optimiser.paged_adamw


@pytest.mark.parametrize("family", ["encoder", "encoder_decoder", "decoder"])
def test_the_switch_of_the_model_config(compose, family):
    from bench.records.schema import Status
    from bench.running.runner import run_cell
    from tests.cells import MODELS, SHORT, TASKS

    record, _ = run_cell(
        compose(f"model={MODELS[family]}", f"task={TASKS[family]}", "method=ia3", "model.quantisation=nf4", *SHORT)
    )
    assert record.status == Status.done, record.error
    plain, _ = run_cell(compose(f"model={MODELS[family]}", f"task={TASKS[family]}", "method=ia3", *SHORT))
    assert record.parameters == plain.parameters
