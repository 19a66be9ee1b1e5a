"""A base in 16 bits: what is frozen is stored in them, what is trained stays in fp32, with every method."""

import pytest
import torch

from bench.configuration.compose import build
from bench.configuration.schema import Dtype, ModelConfig, Precision, Quantisation, TrainingConfig
from bench.errors import UnsupportedError, UserError
from bench.methods.base import Method
from bench.methods.loading import storage
from bench.models.families import structure_of
from bench.models.number_types import TORCH, lower, set_trained
from bench.models.quantisation import quantise, settle
from bench.training.arithmetic import Arithmetic
from scripts.model_kinds import KINDS, kind_model
from tests.tiny import Adapted, all_methods, settings_of, tiny_batch

PAIRS = [(family, kind) for family, kinds in KINDS.items() for kind in kinds]
METHODS = [name for name in all_methods() if name != "peft/any"]
CPU = torch.device("cpu")


def adapted_in(dtype, name, family, kind):
    """As the runner loads and adapts; and the types of what the blocks hand on, bare and adapted."""
    model, method = kind_model(family, kind).train(), build(settings_of(name), Method)
    structure = structure_of(model, family)
    stored = storage(ModelConfig("tiny", "tiny", family), TrainingConfig(), method, dtype)
    if stored["quantisation"] == Quantisation.nf4:
        quantise(model, structure.linears)
        settle(model)
    lower(model, structure, stored["dtype"])
    arithmetic = Arithmetic({Dtype.float32: Precision.fp32, Dtype.bfloat16: Precision.bf16}[dtype], CPU)
    types, batch = [], tiny_batch(family)
    for block in structure.blocks:
        model.get_submodule(block.path).register_forward_hook(
            lambda _, __, out: types.append((out[0] if isinstance(out, tuple) else out).dtype)
        )
    with torch.no_grad(), arithmetic.autocast():
        model(**batch)
    bare, types[:] = list(types), []
    base = [p for path, p in model.named_parameters() if not structure.is_of_head(path)]
    adapted = Adapted(settings_of(name), family, base=model, **stored)
    adapted.base = base
    set_trained(adapted.model, stored["trained_dtype"])
    arithmetic.wrap(adapted.model)(**batch)
    return adapted, bare, types


def check(name, family, kind):
    wide, _, _ = adapted_in(Dtype.float32, name, family, kind)
    low, bare, types = adapted_in(Dtype.bfloat16, name, family, kind)
    assert bare == types, "what goes from block to block is of another type than in the bare model"
    trained = {id(p) for p in low.model.parameters() if p.requires_grad}
    assert {p.dtype for p in low.model.parameters() if id(p) in trained} == {torch.float32}
    norms = [m for m in low.model.modules() if "Norm" in type(m).__name__]
    mixed = {id(p) for m in norms for p in m.parameters() if trained & {id(q) for q in m.parameters()}}
    frozen = {p.dtype for p in low.base if id(p) not in trained | mixed and p.is_floating_point()}
    assert frozen <= {TORCH[low.setting.dtype]}, "frozen, and not in the base's type"
    assert all(tensor.dtype != torch.bfloat16 for tensor in low.method.stored_state(low.model).values())
    # Child-Tuning chooses its entries, AdaLoRA its ranks by gradients, which are rounded.
    close = 0.15 if name.startswith(("child", "ada")) else 0.05
    assert low.train(2) == pytest.approx(wide.train(2), rel=close, abs=close)


@pytest.mark.parametrize("method", METHODS)
def test_each_method_trains_over_a_base_in_bf16(method):
    """One family each in turn; the others below."""
    family, kind = PAIRS[[0, 10, 18][METHODS.index(method) % 3]]
    check(method, family, kind)


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("family", "kind"), PAIRS, ids=[kind for _, kind in PAIRS])
def test_each_method_trains_over_every_kind_of_base_in_bf16(method, family, kind):
    try:
        check(method, family, kind)
    except (UnsupportedError, UserError) as error:
        pytest.skip(f"not offered: {error}")


def test_a_method_that_trains_the_whole_base_reads_it_in_fp32():
    base = ModelConfig("tiny", "tiny", "encoder")
    full = build(settings_of("full"), Method)
    assert storage(base, TrainingConfig(), full, Dtype.bfloat16)["dtype"] == Dtype.float32
    pure = storage(base, TrainingConfig(master_weights=False), full, Dtype.bfloat16)
    assert pure["dtype"] == pure["trained_dtype"] == Dtype.bfloat16


def test_without_master_weights_what_is_trained_is_in_the_bases_type():
    adapted = Adapted(settings_of("lora"), "decoder")
    set_trained(adapted.model, Dtype.bfloat16)
    assert {p.dtype for p in adapted.model.parameters() if p.requires_grad} == {torch.bfloat16}
