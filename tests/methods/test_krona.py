"""KronA against torch.kron, the peft library's LoKr, and its formula for counts."""

import peft
import pytest
import torch
from torch import nn
from torch.nn import functional

from bench.errors import UnsupportedError, UserError
from bench.methods.krona import KroneckerUpdate, shapes_of, updates
from tests.methods.test_counts import configurations, counts  # noqa: F401  # a fixture
from tests.tiny import HIDDEN, Adapted, logits_of, settings_of, tiny_batch, tiny_model

CPU = torch.device("cpu")
SHAPES = [(1, 1), (6, 2), (2, 8), (12, 8), (3, 4)]


def update(inputs, outputs, shape, scale=0.7):
    torch.manual_seed(3)
    made = KroneckerUpdate(inputs, outputs, shape, scale, CPU)
    nn.init.normal_(made.A)
    return made


@pytest.mark.parametrize("shape", SHAPES)
def test_forward_is_the_product_s(shape):
    made, x = update(8, 12, shape), torch.randn(2, 5, 8)
    expected = functional.linear(x, torch.kron(made.A, made.B))
    assert torch.allclose(made(x), expected, atol=1e-5)
    assert torch.allclose(made.weight(), 0.7 * torch.kron(made.A, made.B))


@pytest.mark.parametrize("shape", SHAPES)
def test_gradients_are_the_product_s(shape):
    made, x = update(8, 12, shape), torch.randn(2, 5, 8)
    weights = torch.randn(2, 5, 12)
    ours = torch.autograd.grad((made(x) * weights).sum(), [made.A, made.B])
    theirs = torch.autograd.grad((functional.linear(x, torch.kron(made.A, made.B)) * weights).sum(), [made.A, made.B])
    assert all(torch.allclose(a, b, atol=1e-4) for a, b in zip(ours, theirs, strict=True))


def test_merged_weights_are_the_base_s_and_the_product():
    adapted = Adapted(settings_of("krona") | {"scale": 0.5}, "encoder")
    adapted.train(3)
    products = [0.5 * torch.kron(u.A, u.B).detach() for _, u in updates(adapted.model)]
    before = [linear.weight.detach().clone() for linear, _ in updates(adapted.model)]
    linears = [linear for linear, _ in updates(adapted.model)]
    assert len(linears) == 4
    adapted.method.merge(adapted.model, adapted.setting)
    for linear, old, product in zip(linears, before, products, strict=True):
        assert torch.equal(linear.weight, old + product)
        assert not linear._forward_hooks


def test_over_four_bits_it_is_merged_into_the_dequantised_base():
    adapted = Adapted(settings_of("krona"), "decoder", quantisation="nf4")
    adapted.train(3)
    batch = tiny_batch("decoder")
    expected = logits_of(adapted.model, batch)
    merged = adapted.method.merge(adapted.model, adapted.setting)
    assert type(merged) is type(tiny_model("decoder"))
    assert (logits_of(merged, batch) - expected).abs().max() < 0.2  # four-bit layers compute in bf16


def test_it_is_the_library_s_lokr_where_that_has_the_shape():
    """A square first factor; the library's rank is one at which both factors are whole."""
    linear = nn.Linear(HIDDEN, HIDDEN)
    config = peft.LoKrConfig(r=HIDDEN, alpha=HIDDEN, decompose_factor=8, target_modules=["0"])
    library = peft.get_peft_model(nn.Sequential(linear), config)
    layer = library.base_model.model[0]
    theirs = {"A": layer.lokr_w1["default"], "B": layer.lokr_w2["default"]}
    ours = KroneckerUpdate(HIDDEN, HIDDEN, (8, 8), 1.0, CPU)
    assert not ours.A.any()
    assert not theirs["A"].any()
    bound = ours.B.shape[1] ** -0.5
    for b in (ours.B, theirs["B"]):  # uniform over the same interval
        assert 0.8 * bound < b.abs().max() <= bound
    with torch.no_grad():
        for name, value in theirs.items():
            value.copy_(torch.randn_like(value))
            assert getattr(ours, name).shape == value.shape
            getattr(ours, name).copy_(value)
    x = torch.randn(3, HIDDEN)
    assert torch.allclose(linear(x) + ours(x), library(x), atol=1e-4)
    assert torch.allclose(ours.weight(), layer.get_delta_weight("default"), atol=1e-5)


@pytest.mark.parametrize(
    ("inputs", "outputs", "first"),
    [(768, 768, (24, 32)), (4096, 4096, (64, 64)), (768, 3072, (48, 32)), (8, 8, (2, 4))],
)
def test_the_smallest_comes_first_and_is_nearest_to_squares(inputs, outputs, first):
    shapes = shapes_of(inputs, outputs)
    counted = [a * b + inputs * outputs // (a * b) for a, b in shapes]
    assert shapes[0] == first
    assert counted == sorted(set(counted))
    assert counted[0] == min(a + inputs * outputs / a for a in range(1, inputs * outputs) if not inputs * outputs % a)


def test_counts_on_roberta_and_llama(configurations):  # noqa: F811
    roberta = counts(configurations, "roberta_base", "krona")
    assert roberta.trainable - roberta.head == 12 * 2 * (24 * 32 + 32 * 24)
    llama = counts(configurations, "llama_7b", "krona")
    assert llama.trainable == 32 * 2 * (64 * 64 + 64 * 64)
    other = counts(configurations, "roberta_base", "krona", "method.shape=[48,96]")
    assert other.stored - other.head == 12 * 2 * (48 * 96 + 16 * 8)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"shape": [5, 8]}, r"method.shape=\[5, 8\] does not fit .*64 outputs and 64 inputs"),
        ({"shape": [8]}, "must be two numbers"),
        ({"shape": [8, 0]}, r"method.shape\[1\]=0"),
        ({"shape": [8, 8], "step": 2}, "no effect beside"),
        ({"step": 0}, "method.step=0"),
        ({"step": 1000}, "method.step=1000 is more than the"),
        ({"scale": 0.0}, "method.scale=0"),
        ({"sites": {"encoder": ["qeury"]}}, "qeury"),
    ],
)
def test_mistakes_are_one_clear_line(changes, words):
    with pytest.raises((UserError, UnsupportedError), match=words) as caught:
        Adapted(settings_of("krona") | changes, "encoder")
    assert "\n" not in str(caught.value)


def test_a_layer_that_is_no_linear_layer_of_torch_s_is_refused():
    base = tiny_model("decoder", model_type="gpt2", n_embd=HIDDEN, n_layer=2, n_head=4)
    with pytest.raises(UnsupportedError, match=r"KronA on .*c_proj: it is a Conv1D"):
        Adapted(settings_of("krona") | {"sites": {"decoder": ["output"]}}, "decoder", base=base)


def test_it_lies_over_lora():
    parts = {"_target_": "bench.methods.compose.Compose", "name": "two", "title": "Two", "category": "hybrid",
             "paper": "none", "parts": [settings_of("krona"), settings_of("lora")]}  # fmt: skip
    adapted = Adapted(parts, "encoder")
    adapted.train(3)
    batch = tiny_batch("encoder")
    expected = logits_of(adapted.model, batch)
    merged = adapted.method.merge(adapted.model, adapted.setting)
    assert (logits_of(merged, batch) - expected).abs().max() < 1e-4
