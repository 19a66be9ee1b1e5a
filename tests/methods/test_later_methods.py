"""The rows that come through the peft library: counts by formula, beginnings, what is drawn and what is kept."""

from dataclasses import replace

import peft
import pytest
import torch
from peft.optimizers import create_lorafa_optimizer
from peft.tuners.waveft.layer import WaveFTLinear
from torch import nn

from bench.configuration.schema import Quantisation
from bench.errors import UnsupportedError, UserError
from bench.methods.fourierft import ShuffledOnce
from bench.methods.lora_kin import ADAPTER, Kin
from bench.methods.shared.sited_tuner import SitedTuner
from bench.methods.super_tuning import largest
from bench.methods.waveft import HaarLinear
from tests.methods.test_counts import configurations, counts  # noqa: F401  # a fixture
from tests.tiny import Adapted, all_methods, logits_of, settings_of, tiny_batch, tiny_model

D, INNER, LAYERS = 768, 3072, 12
ROWS = [
    "c3a", "delora", "dora", "fourierft", "gralora", "hira", "hra", "krona", "ln_tuning", "loha", "lora_fa", "miss",
    "oft", "olora", "peanut", "pissa", "randlora", "road", "rslora", "shira", "super_tuning", "unilora", "vblora",
    "vera", "waveft",
]  # fmt: skip
QV = LAYERS * 2
BASES = D // 64
# What each trains on RoBERTa-base besides the head, and what it keeps where that is another number.
TRAINED = {
    "c3a": QV * D,
    "delora": QV * (2 * D * 8 + 1),
    "dora": QV * (2 * D * 8 + D),
    "fourierft": QV * 1000,
    "gralora": QV * 2 * D * 8,
    "hira": QV * 2 * D * 8,
    "hra": LAYERS * 8 * (5 * D + INNER),
    "ln_tuning": (2 * LAYERS + 1) * 2 * D,
    "loha": QV * 2 * 2 * D * 4,
    "lora_fa": QV * D * 8,
    "miss": QV * 16 * D,
    "oft": LAYERS * (5 * D + INNER) // 32 * 32 * 31 // 2,
    "olora": QV * 2 * D * 8,
    "peanut": QV * 2 * D * 8,
    "pissa": QV * 2 * D * 8,
    "randlora": LAYERS * 6 * (64 * BASES + BASES * D),
    "road": LAYERS * (5 * D + INNER),
    "rslora": QV * 2 * D * 32,
    "shira": QV * 8 * (D + D),
    "super_tuning": QV * (D * D // 100),
    "unilora": 23_040,
    "vblora": 90 * 256 + QV * 2 * 4 * (D // 256) * 90,
    "vera": QV * (D + 1024),
    "waveft": QV * 2592,
}
PIECES = QV * 2 * 4 * (D // 256)
KEPT = {"vblora": 90 * 256 + PIECES * (2 / 4 + 1)}  # two numbers of a byte, and one weight
ON_LLAMA = {
    "c3a": 64 * 4096 * 32,
    "delora": 64 * (2 * 4096 * 32 + 1),
    "gralora": 32 * 32 * (4 * 2 * 4096 + 3 * (4096 + 11008)),
    "hira": 32 * 32 * (3 * 2 * 4096 + 3 * (4096 + 11008)),
    "loha": 64 * 2 * 2 * 4096 * 32,
    "olora": 64 * 2 * 4096 * 32,
    "peanut": 64 * 2 * 4096 * 32,
    "road": 32 * (5 * 4096 + 2 * 11008),  # the paper's 0.02 %
    "super_tuning": 64 * (4096 * 4096 // 100),
    "unilora": 524_288,
    "waveft": 64 * 5000,
    "vera": 32 * (5 * 4096 + 2 * 11008 + 7 * 256),  # the paper's 1.4 M
    "hra": 32 * 2 * 4096 * 32,  # the paper's 0.12 %
    "fourierft": 64_000,  # the paper's 0.064 M
    "ln_tuning": 65 * 4096,
    "pissa": 319_815_680,
}


@pytest.mark.parametrize("name", TRAINED)
def test_counts_on_roberta_base(configurations, name):  # noqa: F811
    found = counts(configurations, "roberta_base", name)
    assert found.trainable - found.head == TRAINED[name]
    assert found.stored - found.head == KEPT.get(name, TRAINED[name])
    assert found.training_only == 0


@pytest.mark.parametrize("name", ON_LLAMA)
def test_counts_on_llama(configurations, name):  # noqa: F811
    assert counts(configurations, "llama_7b", name).trainable == ON_LLAMA[name]


@pytest.mark.parametrize("name", ROWS)
def test_each_has_a_title_a_category_and_a_source_of_its_own(name):
    settings = settings_of(name)
    assert name in all_methods()
    assert settings["title"] not in ("peft", name)
    assert settings["category"] in ("partial", "reparameterised")
    assert "https://arxiv.org/abs/" in settings["paper"] or "https://openreview.net/forum?id=" in settings["paper"]


class TestPissa:
    def test_the_base_gives_its_largest_singular_values_away(self):
        adapted, bare = Adapted(settings_of("pissa"), "encoder"), tiny_model("encoder")
        path = adapted.method.targets(adapted.setting)[0]
        layer, before = adapted.model.get_base_model().get_submodule(path), bare.get_submodule(path).weight
        values, residual = torch.linalg.svdvals(before), torch.linalg.svdvals(layer.base_layer.weight)
        assert torch.allclose(residual[:-4], values[4:], atol=1e-4)
        assert residual[-4:].max() < 1e-4
        assert torch.allclose(layer.base_layer.weight + layer.get_delta_weight(ADAPTER), before, atol=1e-5)
        assert layer.scaling[ADAPTER] == 1

    def test_a_packed_base_has_none_to_give(self):
        with pytest.raises(UnsupportedError, match="PiSSA on nf4: it takes the largest singular values out"):
            Adapted(settings_of("pissa"), "encoder", quantisation=Quantisation.nf4)


class TestLoraFA:
    """The library's optimizer, split in two: our correction, and AdamW."""

    @staticmethod
    def trained(settings, steps=3):
        adapted = Adapted(settings_of("lora_fa") | settings, "encoder")
        batch = tiny_batch("encoder")
        factors = [layer for layer in adapted.model.modules() if hasattr(layer, "lora_A")]
        for parameter in adapted.model.parameters():  # the head aside
            parameter.requires_grad_(any(parameter is layer.lora_B[ADAPTER].weight for layer in factors))
        return adapted, batch, [layer.lora_B[ADAPTER].weight for layer in factors], steps

    def test_b_goes_where_the_library_s_optimizer_takes_it(self, monkeypatch):
        """But for an epsilon, which it adds at another place, and for the bf16 that it multiplies in."""
        monkeypatch.setattr("peft.optimizers.lorafa.is_bf16_available", lambda: False)
        adapted, batch, ours, steps = self.trained({})
        optimiser = torch.optim.AdamW(ours, lr=1e-3, eps=1e-30, weight_decay=0.0)
        for _ in range(steps):
            adapted.model(**batch).loss.backward()
            adapted.method.on_gradients(adapted.model)
            optimiser.step()
            optimiser.zero_grad()
        library, _, theirs, _ = self.trained({})
        own = create_lorafa_optimizer(library.model, r=4, lora_alpha=16, lr=1e-3)
        own.param_groups[0]["eps"] = 1e-30
        for _ in range(steps):
            library.model(**batch).loss.backward()
            own.step()
            own.zero_grad()
        assert all(b.any() for b in theirs)
        assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(ours, theirs, strict=True))

    def test_a_is_of_the_seed_and_stays(self):
        first, second = (Adapted(settings_of("lora_fa"), "encoder", seed=drawn) for drawn in (1, 2))
        before = self.factors(first)
        assert all(torch.equal(a, b) for a, b in zip(before, self.factors(second), strict=True))
        first.train(3)
        assert all(torch.equal(a, b) for a, b in zip(before, self.factors(first), strict=True))
        other = first.method.apply(tiny_model("encoder"), replace(first.setting, seed=9))
        assert not any(torch.equal(a, b) for a, b in zip(before, self.factors_of(other), strict=True))

    def factors(self, adapted):
        return self.factors_of(adapted.model)

    @staticmethod
    def factors_of(model):
        return [m.lora_A[ADAPTER].weight.detach().clone() for m in model.modules() if hasattr(m, "lora_A")]

    def test_without_the_correction_gradients_are_left_alone(self):
        adapted, batch, ours, _ = self.trained({"corrected": False})
        adapted.model(**batch).loss.backward()
        before = [b.grad.clone() for b in ours]
        adapted.method.on_gradients(adapted.model)
        assert all(torch.equal(b.grad, old) for b, old in zip(ours, before, strict=True))


def with_seed(name, seed):
    """A tiny model, adapted in a cell of this seed."""
    adapted = Adapted(settings_of(name), "encoder")
    setting = replace(adapted.setting, seed=seed)
    torch.manual_seed(7)
    return adapted.method.apply(tiny_model("encoder"), setting)


@pytest.mark.parametrize("name", ["vera", "randlora", "fourierft", "shira", "waveft", "unilora"])
def test_what_is_drawn_is_of_the_cell_s_seed_whatever_else_is_drawn(name):
    def buffers(model):
        keys = (
            "vera_A",
            "vera_B",
            "randlora_A",
            "randlora_B",
            "indices",
            "shira_indices",
            "waveft_indices",
            "unilora_indices",
        )
        return [b for key, b in model.named_buffers() if any(part in key for part in keys)]

    first, again, other = (buffers(with_seed(name, seed)) for seed in (3, 3, 4))
    assert first
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(first, other, strict=True))
    kept = Adapted(settings_of(name), "encoder")
    assert not any("vera_A" in key or "indices" in key for key in kept.method.stored_state(kept.model))


def test_vera_s_matrices_are_one_pair_for_all_layers():
    model = with_seed("vera", 0)
    layers = [module for module in model.modules() if hasattr(module, "vera_lambda_b")]
    assert len({layer.vera_A[ADAPTER].data_ptr() for layer in layers}) == 1
    assert len({layer.vera_B[ADAPTER].data_ptr() for layer in layers}) == 1


def test_shira_s_places_are_others_in_every_layer_and_as_many_as_counted():
    model = with_seed("shira", 0)
    places = [m.shira_indices[ADAPTER] for m in model.modules() if hasattr(m, "shira_indices")]
    assert len({tuple(p.flatten().tolist()) for p in places}) == len(places) == 4
    assert all(len({*zip(*p.tolist(), strict=True)}) == 4 * (64 + 64) for p in places)


class TestOlora:
    def test_b_starts_orthonormal_and_the_base_gives_away_what_it_starts_as(self):
        adapted, bare = Adapted(settings_of("olora"), "encoder"), tiny_model("encoder")
        path = adapted.method.targets(adapted.setting)[0]
        layer, before = adapted.model.get_base_model().get_submodule(path), bare.get_submodule(path).weight
        b = layer.lora_B[ADAPTER].weight
        assert torch.allclose(b.T @ b, torch.eye(4), atol=1e-5)
        assert torch.allclose(layer.base_layer.weight + layer.get_delta_weight(ADAPTER), before, atol=1e-5)
        assert (layer.base_layer.weight - before).abs().max() > 0.1


class TestSuperTuning:
    def test_the_largest_entries_are_trained(self):
        adapted, bare = Adapted(settings_of("super_tuning"), "encoder"), tiny_model("encoder")
        path = adapted.method.targets(adapted.setting)[0]
        magnitudes = bare.get_submodule(path).weight.abs().flatten()
        places = adapted.model.get_base_model().get_submodule(path).supertuning_indices[ADAPTER].long()
        assert len(places) == 64 * 64 // 100
        assert magnitudes[places].min() >= magnitudes.kthvalue(64 * 64 - len(places) + 1).values

    def test_of_equal_ones_the_first(self):
        weight = torch.tensor([[1.0, -2.0, 2.0], [3.0, 2.0, 0.0]])
        assert largest(weight, 3).tolist() == [1, 2, 3]
        assert largest(weight, 6).tolist() == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("shape", [(64, 64), (63, 20)])
def test_waveft_s_update_is_the_library_s_at_even_and_odd_sides(shape):
    torch.manual_seed(0)
    config = peft.WaveFTConfig(n_frequency=40, scaling=25.0, target_modules=["0"])
    model = peft.get_peft_model(nn.Sequential(nn.Linear(*shape)), config)
    [layer] = [module for module in model.modules() if isinstance(module, WaveFTLinear)]
    nn.init.normal_(layer.waveft_spectrum[ADAPTER])
    theirs = layer.get_delta_weight(ADAPTER)
    layer.__class__ = HaarLinear
    assert torch.allclose(layer.get_delta_weight(ADAPTER), theirs, atol=1e-6)
    # Haar's transform keeps lengths.
    assert shape[1] % 2 or torch.allclose(theirs.norm(), 25 * layer.waveft_spectrum[ADAPTER].norm(), rtol=1e-4)


def test_road_turns_and_stretches_pairs_of_outputs():
    adapted = Adapted(settings_of("road"), "encoder")
    adapted.train(4)
    layer = next(m for m in adapted.model.modules() if hasattr(m, "road_theta"))
    x = torch.randn(3, layer.in_features)
    plain, turned = layer.base_layer(x), layer(x)
    theta, alpha = layer.road_theta[ADAPTER], layer.road_alpha[ADAPTER]
    first, second = plain[:, 0], plain[:, 8]  # a group of 16
    assert torch.allclose(turned[:, 0], alpha[0] * (theta[0].cos() * first - theta[0].sin() * second), atol=1e-5)
    assert torch.allclose(turned[:, 8], alpha[0] * (theta[0].sin() * first + theta[0].cos() * second), atol=1e-5)


def test_unilora_s_entries_are_shared_evenly_and_its_projection_keeps_lengths():
    model = with_seed("unilora", 0)
    layers = [m for m in model.modules() if hasattr(m, "unilora_indices_A")]
    numbers = torch.cat([getattr(m, f"unilora_indices_{f}")[ADAPTER].flatten() for m in layers for f in "AB"])
    vector = layers[0].unilora_theta_d[ADAPTER]
    assert numbers.bincount().tolist() == [len(numbers) // 16] * 16
    entries = torch.cat([f.flatten() for m in layers for f in m._get_lora_matrices(ADAPTER)])
    assert torch.allclose(entries.norm(), vector.norm(), atol=1e-5)


def test_delora_s_strength_bounds_the_update():
    adapted = Adapted(settings_of("delora") | {"strength": 0.5}, "encoder")
    adapted.train(4)
    layer = next(m for m in adapted.model.modules() if hasattr(m, "delora_A"))
    of_columns = layer.get_delta_weight(ADAPTER) / layer.delora_w_norm[ADAPTER]
    assert 0 < of_columns.norm() <= layer.delora_lambda[ADAPTER].abs() + 1e-5


def test_a_rate_of_its_own_for_delora_s_strength():
    adapted = Adapted(settings_of("delora") | {"strength_rate": 3.0}, "encoder")
    assert adapted.method.rate_multipliers() == {"delora_lambda": 3.0}
    assert Adapted(settings_of("delora"), "encoder").method.rate_multipliers() == {}


def test_numbers_are_shuffled_once():
    with ShuffledOnce(bare=False):
        first, again = (torch.randperm(9, generator=torch.Generator().manual_seed(5)) for _ in range(2))
        assert len(torch.randperm(4)) == 4
    assert torch.equal(first, torch.randperm(9, generator=torch.Generator().manual_seed(5)))
    assert torch.equal(first, again)


def test_vblora_keeps_numbers_and_weights_in_place_of_logits():
    adapted = Adapted(settings_of("vblora"), "encoder")
    adapted.train(2)
    state = adapted.method.stored_state(adapted.model)
    names = [key for key in state if "vblora" in key]
    assert not [key for key in names if key.endswith(".default") and "bank" not in key]
    assert {state[key].dtype for key in names if key.endswith(".vectors")} == {torch.uint8}
    assert all(state[key].shape[-1] == 1 for key in names if key.endswith(".weights"))
    del state[next(key for key in names if key.endswith(".vectors"))]
    with pytest.raises(UserError, match="does not fit the model; missing"):
        adapted.method.load_stored_state(adapted.model, state)


@pytest.mark.parametrize("family", ["encoder", "encoder_decoder", "decoder"])
def test_norm_tuning_trains_norms_alone(family):
    adapted = Adapted(settings_of("ln_tuning"), family)
    trained = [p for name, p in adapted.model.named_parameters() if p.requires_grad and "classifier" not in name]
    assert trained
    assert all(p.dim() == 1 for p in trained)


@pytest.mark.parametrize("name", [n for n in ROWS if n not in ("krona", "ln_tuning")])
def test_a_packed_base_is_trained_on_or_refused(name):
    settings = settings_of(name)
    try:
        adapted = Adapted(settings, "encoder", quantisation=Quantisation.nf4)
    except UnsupportedError as error:
        assert "packed" in str(error)  # noqa: PT017
        assert "\n" not in str(error)  # noqa: PT017
        assert name in ("delora", "hira", "hra", "loha", "miss", "olora", "peanut", "pissa", "shira", "super_tuning")
        return
    assert isinstance(adapted.method, SitedTuner | Kin)
    losses = adapted.train(8)
    assert losses[-1] < losses[0]
    batch = tiny_batch("encoder")
    expected = logits_of(adapted.model, batch)
    merged = adapted.method.merge(adapted.model, adapted.setting)
    assert (logits_of(merged, batch) - expected).abs().max() < 0.2


@pytest.mark.parametrize(
    ("name", "changes", "words"),
    [
        ("oft", {"block_size": 5}, "block_size=5 must be 2 or more and divide the hidden size 64"),
        ("oft", {"block_size": 1}, "block_size=1 must be 2 or more"),
        ("oft", {"neumann_terms": -1}, "neumann_terms=-1"),
        ("hra", {"r": 3}, "r=3 must be even"),
        ("randlora", {"r": 65}, "r=65 exceeds the hidden size"),
        ("randlora", {"scale": 0.0}, "scale=0"),
        ("vera", {"r": 0}, "r=0"),
        ("vera", {"d_initial": 0.0}, "d_initial=0"),
        ("vblora", {"topk": 9}, "topk=9 exceeds method.num_vectors=8"),
        ("vblora", {"vector_length": 7}, "`vector_length` 7"),
        ("fourierft", {"n": 5000}, "5000"),
        ("fourierft", {"scale": {"encoder": -1.0}}, "scale=-1"),
        ("shira", {"r": 40}, "rank 40"),
        ("miss", {"r": 65}, "r=65 exceeds the hidden size"),
        ("dora", {"alpha": {"decoder": 2.0}}, "says nothing of the family 'encoder'"),
        ("dora", {"alpha": -1.0}, "alpha=-1"),
        ("pissa", {"r": {"enocder": 4}}, "enocder"),
        ("rslora", {"sites": {"encoder": ["expert_input"]}}, "not offered at the site expert_input"),
        ("vera", {"sites": {"encoder": ["qeury"]}}, "qeury"),
        ("c3a", {"pieces": 5}, "pieces=5 must divide the hidden size 64"),
        ("c3a", {"pieces": 0}, "pieces=0"),
        ("delora", {"strength": 0.0}, "strength=0"),
        ("delora", {"strength_rate": -1.0}, "strength_rate=-1"),
        ("gralora", {"r": 5}, "r=5 must be a multiple of method.k=2"),
        ("gralora", {"k": 0}, "k=0"),
        ("hira", {"dropout": 1.0}, "dropout=1"),
        ("loha", {"alpha": {"encoder": 0.0}}, "alpha=0"),
        ("peanut", {"depth": -1}, "depth=-1"),
        ("road", {"angles": 3}, "angles=3 must be one of 1, 2, 4"),
        ("road", {"group_size": 7}, "group_size=7 must be even"),
        ("road", {"group_size": 24}, "divisible by group_size"),
        ("super_tuning", {"kept": 0.0}, "kept=0"),
        ("super_tuning", {"kept": 0.0001}, "leaves no trainable entries"),
        ("unilora", {"vector_length": 5000}, "vector_length=5000 exceeds the 2048 entries of all A and B"),
        ("waveft", {"n": 5000}, "5000"),
        ("waveft", {"scale": -1.0}, "scale=-1"),
    ],
)
def test_mistakes_are_one_clear_line(name, changes, words):
    with pytest.raises(UserError, match=words) as caught:
        Adapted(settings_of(name) | changes, "encoder")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("one", "other"), [("dora", "lora"), ("vera", "vera"), ("hra", "hra")])
def test_kin_of_the_library_do_not_go_together(one, other):
    second = settings_of(other) | {"name": "second"}
    parts = {"_target_": "bench.methods.compose.Compose", "name": "two", "title": "Two", "category": "hybrid",
             "paper": "none", "parts": [settings_of(one), second]}  # fmt: skip
    with pytest.raises(UserError, match="take one of them"):
        Adapted(parts, "encoder")


@pytest.mark.parametrize(
    ("name", "number", "sizes"),
    [
        ("krona", 3, {"step": 3}),
        ("vera", 5, {"r": 5}),
        ("randlora", 16, {"r": 4}),
        ("vblora", 1, {"num_vectors": 2}),
        ("fourierft", 5, {"n": 5}),
        ("oft", 3, {"block_size": 8}),
        ("hra", 3, {"r": 6}),
        ("miss", 5, {"r": 5}),
        ("shira", 5, {"r": 5}),
        ("dora", 5, {"r": 5}),
        ("c3a", 3, {"pieces": 4}),
        ("delora", 5, {"r": 5}),
        ("gralora", 3, {"r": 6}),
        ("hira", 5, {"r": 5}),
        ("loha", 5, {"r": 5}),
        ("olora", 5, {"r": 5}),
        ("peanut", 5, {"r": 5}),
        ("road", 1, {"angles": 1}),
        ("super_tuning", 100, {"kept": 0.01}),
        ("unilora", 5, {"vector_length": 5}),
        ("waveft", 5, {"n": 5}),
    ],
)
def test_a_size_that_a_budget_may_choose(name, number, sizes):
    adapted = Adapted(settings_of(name), "encoder")
    other = adapted.method.of_size(number, adapted.setting)
    assert other.sizes(adapted.setting) == sizes
    larger = adapted.method.of_size(2 * number, adapted.setting)
    counts = []
    for method in (other, larger):
        method.check(adapted.setting)
        model = method.apply(tiny_model("encoder"), adapted.setting)
        counts.append(method.stored_count(model))
    assert counts[0] < counts[1]


def test_norms_have_no_size():
    adapted = Adapted(settings_of("ln_tuning"), "encoder")
    with pytest.raises(UnsupportedError, match="LN tuning has no size"):
        adapted.method.of_size(1, adapted.setting)
