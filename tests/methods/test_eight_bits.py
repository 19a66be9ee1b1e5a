"""A base in eight bits (LLM.int8()), on the CPU: its layer, methods over it, how it is read, split and planned."""

import copy
import logging
from dataclasses import replace

import pytest
import torch
from bitsandbytes.functional import int8_vectorwise_quant
from bitsandbytes.nn import Linear4bit, Linear8bitLt
from torch import nn

from bench.configuration.compose import build
from bench.configuration.schema import Dtype, Family, ModelConfig, Quantisation, TrainingConfig
from bench.errors import UnsupportedError, UserError
from bench.metering.parameters import count_all
from bench.methods.base import Method
from bench.methods.loading import storage
from bench.models.eight_bit import EightBitLinear, eight_bit, settled
from bench.models.families import structure_of
from bench.models.fused import split_fused
from bench.models.fused_rows import cut
from bench.models.head import Head
from bench.models.load import load_architecture, load_model
from bench.models.quantisation import Packing, dequantise, is_quantised, packable, quantise
from bench.planning.predict import predict
from scripts.model_kinds import kind_model
from tests.cells import MODELS, SHORT, TASKS
from tests.planning.real_step import RealTraining
from tests.tiny import Adapted, logits_of, settings_of, tiny_batch, tiny_model

FITTING = ["lora", "ia3", "adalora", "adapter_s", "adapter_pfeiffer", "adapter_parallel", "mam", "prefix_tuning",
           "prompt_tuning", "propelt_adapter", "propelt_lora", "propelt_prefix"]  # fmt: skip
SOME = [("encoder", "lora"), ("encoder_decoder", "ia3"), ("decoder", "adalora"), ("decoder", "propelt_lora")]
PAIRS = [
    pytest.param(family, name, marks=[] if (family, name) in SOME else pytest.mark.slow)
    for family in MODELS
    for name in FITTING
]


def on_int8(name, family, **more):
    base = tiny_model(family, int8=True)
    return Adapted(settings_of(name), family, base=base, quantisation=Quantisation.int8, **more)


def layer_and_inputs(dtype=torch.float32):
    """The inputs have two columns of outliers."""
    torch.manual_seed(0)
    linear, x = nn.Linear(64, 32), torch.randn(3, 5, 64)
    x[0, 1, 7], x[2, 2, 40] = 20, -9
    return linear, eight_bit(linear, 6.0), x.to(dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_the_product_is_the_one_of_the_paper_in_training_and_evaluation_and_under_autocast(dtype):
    linear, layer, x = layer_and_inputs(dtype)
    codes, scales, _ = int8_vectorwise_quant(linear.weight.detach().half())
    rows = x.reshape(-1, 64).half().float()
    outliers = (rows.abs() >= 6).any(0)
    assert outliers.sum() == 2
    usual = rows.masked_fill(rows.abs() >= 6, 0)
    steps = usual.abs().amax(1, keepdim=True) / 127
    whole = (usual.half() * (1 / steps)).round().masked_fill(outliers, 0)
    unpacked = codes.float() * scales[:, None] / 127
    expected = (
        whole @ codes.float().T * steps * scales / 127 + rows[:, outliers] @ unpacked[:, outliers].T + linear.bias
    )
    size = expected.abs().max()
    for training in (True, False):
        assert (layer.train(training)(x).reshape(-1, 32) - expected).abs().max() < 0.01 * size
    narrow = layer(x.bfloat16())
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(layer(x), narrow)
    assert layer(x).dtype == dtype
    assert layer.bias.dtype == torch.float32


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_a_gradient_goes_to_the_inputs_through_the_dequantised_weight(dtype):
    linear, layer, x = layer_and_inputs(dtype)
    x.requires_grad_()
    inputs, other = x * 1, torch.randn(64, 3, dtype=dtype, requires_grad=True)
    (layer(inputs).sum() + 0 * (inputs @ other).sum()).backward()  # of which the second keeps the inputs
    expected = layer.dequantised().sum(0).to(dtype).expand_as(x)
    assert (x.grad - expected).abs().max() < 1e-2
    assert (layer.dequantised() - linear.weight).abs().max() <= 0.6 * linear.weight.abs().max() / 127


def test_bitsandbytes_own_layer_is_taken_over_before_and_after_its_first_pass():
    linear, layer, x = layer_and_inputs()
    own = Linear8bitLt(64, 32, has_fp16_weights=False, threshold=6.0)
    own.load_state_dict(linear.state_dict())
    own = own.to("cpu").eval()
    before = settled(copy.deepcopy(own))
    result = own(x)
    for other in (before, settled(own)):
        assert torch.equal(other.weight, layer.weight)
        assert torch.equal(other.SCB, layer.SCB)
        assert torch.equal(other.eval()(x), result)


def test_copies_and_stored_states_keep_weights_and_scales_and_nothing_is_said(caplog):
    _, layer, x = layer_and_inputs()
    with caplog.at_level(logging.WARNING):
        expected = layer(x)
    assert not caplog.records
    other = eight_bit(nn.Linear(64, 32), 6.0)
    other.load_state_dict(layer.state_dict())
    assert torch.equal(copy.deepcopy(other)(x), expected)


@pytest.mark.parametrize("family", MODELS)
def test_the_base_is_counted_by_its_weights(family):
    quantised = tiny_model(family, int8=True)
    assert is_quantised(quantised)
    assert count_all(quantised) == count_all(tiny_model(family))


@pytest.mark.parametrize(("family", "name"), PAIRS)
def test_methods_train_on_it_leave_it_alone_store_and_merge(family, name):
    adapted, batch = on_int8(name, family), tiny_batch(family)
    packed = {k: p.detach().clone() for k, p in adapted.model.named_parameters() if not p.requires_grad}
    packed |= {k: b.clone() for k, b in adapted.model.named_buffers() if k.endswith("SCB")}
    first = adapted.train(4)
    logits_of(adapted.model, batch)
    assert adapted.train(4)[-1] < first[0]
    now = dict(adapted.model.named_parameters()) | dict(adapted.model.named_buffers())
    assert all(torch.equal(now[key], value) for key, value in packed.items())
    state, expected = adapted.method.stored_state(adapted.model), logits_of(adapted.model, batch)
    fresh = on_int8(name, family, seed=2)
    fresh.method.load_stored_state(fresh.model, state)
    assert torch.equal(logits_of(fresh.model, batch), expected)
    resumed = on_int8(name, family, seed=3)
    resumed.method.load_checkpoint_state(resumed.model, adapted.method.checkpoint_state(adapted.model))
    assert torch.equal(logits_of(resumed.model, batch), expected)
    if adapted.method.mergeable:
        over = Adapted(settings_of(name), family, base=dequantise(tiny_model(family, int8=True)))
        over.method.load_stored_state(over.model, state)
        expected = logits_of(over.model, batch)
        merged = adapted.method.merge(adapted.model, adapted.setting)
        assert not is_quantised(merged)
        assert type(merged) is type(tiny_model(family))
        assert (logits_of(merged, batch) - expected).abs().max() < 1e-4


@pytest.mark.parametrize("name", ["full", "bitfit", "child_tuning_d", "child_tuning_f"])
def test_methods_that_train_the_base_refuse_it(name):
    with pytest.raises(UnsupportedError, match="int8"):
        on_int8(name, "encoder")


def test_a_method_that_has_a_base_of_its_own_refuses_another():
    base = ModelConfig("tiny", "tiny", Family.encoder, quantisation=Quantisation.int8)
    with pytest.raises(UserError, match=r"QLoRA is on a base in nf4; leave model.quantisation=int8 out"):
        storage(base, TrainingConfig(), build(settings_of("qlora"), Method), Dtype.float32)


KINDS = [("encoder", "roberta"), ("encoder_decoder", "t5"), ("decoder", "llama"), ("decoder", "falcon")]


@pytest.mark.parametrize(("family", "kind"), KINDS)
def test_the_blocks_are_packed_and_no_other_layer_when_they_are_read_and_when_they_are_drawn(family, kind, tmp_path):
    kind_model(Family(family), kind).save_pretrained(tmp_path)
    config = ModelConfig(kind, kind, family, path=str(tmp_path), int8_threshold=5.0)
    architecture = load_architecture(config, Head(2) if family == "encoder" else None)
    for weights in ("pretrained", "random"):
        chosen = replace(config, weights=weights)
        if kind == "falcon":
            with pytest.raises(UnsupportedError, match=r"eight-bit layers cannot be had: .* is a FalconLinear"):
                load_model(chosen, architecture, Quantisation.int8)
            continue
        model = load_model(chosen, architecture, Quantisation.int8, dtype=Dtype.bfloat16)
        packed = {path: module for path, module in model.named_modules() if isinstance(module, Linear8bitLt)}
        assert packed.keys() == set(packable(model, structure_of(model, Family(family)).linears))
        assert {(type(layer), layer.threshold) for layer in packed.values()} == {(EightBitLinear, 5.0)}
        assert not any(isinstance(module, Linear4bit) for module in model.modules())


def test_weights_that_are_no_numbers_are_refused(tmp_path):
    model = kind_model(Family.decoder, "llama")
    with torch.no_grad():
        model.model.layers[1].mlp.up_proj.weight[3, 4] = float("nan")
    model.save_pretrained(tmp_path)
    config = ModelConfig("llama", "llama", Family.decoder, path=str(tmp_path))
    with pytest.raises(UserError, match=r"layers.1.mlp.up_proj.weight has values that are no numbers"):
        load_model(config, load_architecture(config, None), Quantisation.int8)


@pytest.mark.parametrize("kind", ["gpt_neox", "phi3"])
def test_a_fused_projection_is_cut_without_a_change_of_any_weight(kind):
    model = kind_model(Family.decoder, kind)
    structure = structure_of(model, Family.decoder)
    quantise(model, structure.linears, Packing(kind=Quantisation.int8))
    attention = structure.blocks[0].attentions[0]
    whole = cut(model.get_submodule(attention.fused).dequantised(), attention.rows)
    split_fused(model, structure, [attention.value])
    for part, values in zip(model.get_submodule(attention.fused).children(), whole, strict=True):
        assert torch.equal(part.dequantised(), values)


QUICK = [("encoder", "lora", "float32"), ("encoder", "ia3", "bfloat16")]
PLANS = [
    pytest.param(*case, marks=[] if case in QUICK else pytest.mark.slow)
    for case in [
        (family, method, dtype)
        for family in MODELS
        for method in ("lora", "ia3", "adapter_s", "prefix_tuning")
        for dtype in ("float32", "bfloat16", "float16")
    ]
]


@pytest.mark.parametrize(("family", "method", "dtype"), PLANS)
def test_a_plan_is_within_one_percent_of_what_the_allocator_gave_out(compose, family, method, dtype):
    """Without outliers, of which a plan knows nothing: no input reaches the threshold."""
    cell = compose(
        f"model={MODELS[family]}", f"task={TASKS[family]}", f"method={method}", f"model.dtype={dtype}",
        "model.quantisation=int8", "model.int8_threshold=1e6", "data.synthetic=true", "data.limit_train=64",
        "training.max_steps=20", "training.batch_size=16", "training.max_length=32", "device=cpu",
    )  # fmt: skip
    assert predict(cell, "cpu").peak == pytest.approx(RealTraining(cell).allocator_peak(), rel=0.01)


@pytest.mark.slow
@pytest.mark.parametrize("family", MODELS)
def test_the_switch_of_the_model_config(compose, family):
    from bench.records.schema import Status
    from bench.running.runner import run_cell

    asked = (f"model={MODELS[family]}", f"task={TASKS[family]}", "method=ia3", *SHORT)
    record, _ = run_cell(compose(*asked, "model.quantisation=int8"))
    assert record.status == Status.done, record.error
    plain, _ = run_cell(compose(*asked))
    assert record.parameters == plain.parameters
