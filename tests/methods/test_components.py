"""Components: when one is off, exactly what its name says is gone."""

from functools import cache

import pytest
import torch
from peft.tuners.lora import LoraLayer
from safetensors.torch import load_file, save_file
from torch import nn

from bench.configuration.compose import Configurations, build
from bench.errors import UnsupportedError
from bench.methods.adapters import AdapterS
from bench.methods.base import LoadOptions, Method
from bench.methods.loading import as_wanted
from bench.methods.promises import broken_start
from bench.methods.shared.mask_scores import MaskScores, TopMask
from bench.methods.trainable import trainable_parameters
from tests.tiny import Adapted, logits_of, settings_of, shrunk, tiny_batch, tiny_model

# Method, component, and what puts it on where it is off by default.
SWITCHES = [
    *(("mam", name, ()) for name in ("prefix", "reparameterisation", "adapter", "scale")),
    *((f"propelt_{of}", name, ()) for of in ("adapter", "lora", "prefix")
      for name in ("sharing", "masks", "mask_learning")),
    *(("adapter_s", name, ()) for name in ("attention", "feed_forward", "input_norm")),
    *(("adalora", name, ()) for name in ("adaptive_ranks", "orthogonality")),
    *(("lora", name, ()) for name in ("queries", "values", "scale", "initialisation")),
    ("lora", "b_rate", ("method.b_rate=16",)),
    ("child_tuning_d", "fisher", ()),
    ("gralora", "blocks", ()),
    *(("ia3", name, ()) for name in ("keys", "values", "output", "feed_forward")),
    ("prefix_tuning", "reparameterisation", ("method.inner=800",)),
]  # fmt: skip
IDS = ["-".join(switch[:2]) for switch in SWITCHES]


@cache
def without(name, *components, overrides=()):
    words = [f"method={name}", f"method.without=[{','.join(components)}]", *overrides]
    with Configurations() as configurations:
        return shrunk(configurations.cell(words).config["method"])


def trained_shapes(adapted):
    return {name: tuple(p.shape) for name, p in trainable_parameters(adapted.model)}


def own_count(adapted):
    return sum(p.numel() for n, p in trainable_parameters(adapted.model) if not adapted.setting.structure.is_of_head(n))


def are_alike(first, second, steps=4):
    """The same trained tensors, losses and model after training, to the last bit."""
    one, two = Adapted(first, "encoder"), Adapted(second, "encoder")
    states = [{n: p.detach().clone() for n, p in trainable_parameters(adapted.model)} for adapted in (one, two)]
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    losses = []
    for adapted in (one, two):
        torch.manual_seed(7)  # of the dropout
        losses.append(adapted.train(steps))
    assert losses[0] == losses[1]
    batch = tiny_batch("encoder")
    assert torch.equal(logits_of(one.model.eval(), batch), logits_of(two.model.eval(), batch))
    return True


@pytest.mark.parametrize(("name", "component", "on"), SWITCHES, ids=IDS)
def test_without_a_component_a_method_keeps_its_promises(name, component, on, tmp_path):
    settings = without(name, component, overrides=on)
    assert settings["components"][component] == "off"
    adapted, batch = Adapted(settings, "encoder"), tiny_batch("encoder")
    method = adapted.method
    if method.load_options() == LoadOptions():
        start = Adapted(settings_of("bitfit"), "encoder").model
        assert broken_start(method, logits_of(adapted.model.eval(), batch), logits_of(start.eval(), batch)) is None
    losses = adapted.train(6)
    assert losses[-1] < losses[0]
    state = method.stored_state(adapted.model)
    bits = sum(t.numel() for t in state.values() if t.dtype == torch.uint8)
    values = sum(t.numel() for t in state.values() if t.dtype != torch.uint8)
    assert method.stored_count(adapted.model) == pytest.approx(values + bits / 4, abs=len(state))
    save_file(state, tmp_path / "kept.safetensors")
    fresh = Adapted(settings, "encoder", seed=5)
    fresh.method.load_stored_state(fresh.model, load_file(tmp_path / "kept.safetensors"))
    expected = logits_of(adapted.model.eval(), batch)
    assert (logits_of(fresh.model.eval(), batch) - expected).abs().max() < 1e-5


def test_mam_without_the_prefix_is_the_parallel_adapter_to_the_last_bit():
    parallel = settings_of("adapter_parallel") | {"bottleneck": settings_of("mam")["parts"]["adapter"]["bottleneck"]}
    assert are_alike(without("mam", "prefix"), parallel)


def test_mam_without_the_adapter_is_the_prefix_to_the_last_bit():
    assert are_alike(without("mam", "adapter"), settings_of("mam")["parts"]["prefix"])


def test_mam_without_either_trains_the_task_head_alone():
    adapted = Adapted(without("mam", "adapter", "prefix"), "encoder")
    assert own_count(adapted) == 0
    losses = adapted.train(6)
    assert losses[-1] < losses[0]
    with pytest.raises(UnsupportedError, match="nothing is left of MAM adapter, and the model has no task head"):
        Adapted(without("mam", "adapter", "prefix"), "decoder")


def test_mam_without_the_reparameterisation_trains_the_prefix_itself():
    whole, bare = Adapted(settings_of("mam"), "encoder"), Adapted(without("mam", "reparameterisation"), "encoder")
    adapter = {name: shape for name, shape in trained_shapes(whole).items() if "adapter_parallel" in name}
    assert adapter.items() <= trained_shapes(bare).items()
    rest = {name: shape for name, shape in trained_shapes(bare).items() if name not in adapter}
    length = settings_of("mam")["parts"]["prefix"]["length"]
    tables = {n: s for n, s in rest.items() if not bare.setting.structure.is_of_head(n)}
    assert set(tables.values()) == {(length, 64)}
    assert len(tables) == 2 * len(bare.setting.structure.blocks)
    # What is kept is as large: the network gives way to the same table.
    assert whole.method.stored_count(whole.model) == bare.method.stored_count(bare.model)


def test_mam_without_the_scale_adds_the_adapter_as_it_is():
    whole, bare = Adapted(settings_of("mam"), "encoder"), Adapted(without("mam", "scale"), "encoder")
    scales = [{m.scale for m in one.model.modules() if hasattr(m, "scale") and hasattr(m, "bottleneck")}
              for one in (whole, bare)]  # fmt: skip
    assert scales == [{2}, {1}]
    assert trained_shapes(whole) == trained_shapes(bare)


class SharedAdapter(nn.Module):
    """A bottleneck that all layers share, written down anew."""

    def __init__(self, down, up):
        super().__init__()
        self.down, self.up = down, up

    def forward(self, x):
        return self.up(torch.relu(self.down(x)))


def test_propelt_without_masks_is_the_shared_adapter_to_the_last_bit():
    ours = Adapted(without("propelt_adapter", "masks"), "encoder")
    torch.manual_seed(1)
    size = 64 // settings_of("propelt_adapter")["reduction"]
    down, up = nn.Linear(64, size), nn.Linear(size, 64)
    for linear in (down, up):
        nn.init.normal_(linear.weight, std=0.02)
        nn.init.zeros_(linear.bias)
    theirs, shared = tiny_model("encoder"), SharedAdapter(down, up)
    theirs.load_state_dict({n: t for n, t in ours.model.state_dict().items() if "propelt_adapter" not in n})
    for layer in theirs.roberta.encoder.layer:
        layer.output.LayerNorm.register_forward_hook(
            lambda norm, inputs, normed: norm.forward(inputs[0] + shared(normed))
        )
    assert not any(isinstance(module, MaskScores) for module in ours.model.modules())
    assert own_count(ours) == sum(p.numel() for p in shared.parameters())
    batch = tiny_batch("encoder")
    assert torch.equal(logits_of(ours.model.eval(), batch), logits_of(theirs.eval(), batch))
    ours.model(**batch).loss.backward()
    theirs(**batch).loss.backward()
    prototype = ours.model.roberta.encoder.layer[0].output.LayerNorm.propelt_adapter.bottleneck.prototype
    assert torch.equal(prototype["down"].weight.grad, down.weight.grad)
    assert torch.equal(prototype["up"].weight.grad, up.weight.grad)


def test_propelt_without_masks_and_sharing_is_pfeiffers_adapter():
    settings = without("propelt_adapter", "masks", "sharing")
    size = 64 // settings["reduction"]
    plain = settings_of("adapter_pfeiffer") | {"bottleneck": size, "dropout": 0.0}
    ours, theirs = Adapted(settings, "encoder"), Adapted(plain, "encoder")
    assert own_count(ours) == own_count(theirs)
    batch = tiny_batch("encoder")
    assert torch.equal(logits_of(ours.model.eval(), batch), logits_of(theirs.model.eval(), batch))
    assert ours.train(4) == theirs.train(4)


def test_propelt_without_masks_and_sharing_is_the_prefix_through_a_network():
    settings = without("propelt_prefix", "masks", "sharing")
    prefix = settings_of("mam")["parts"]["prefix"] | {key: settings[key] for key in ("length", "inner")}
    ours, theirs = Adapted(settings, "encoder"), Adapted(prefix, "encoder")
    assert ours.train(4) == theirs.train(4)
    assert ours.method.stored_count(ours.model) == theirs.method.stored_count(theirs.model)


@pytest.mark.parametrize("name", ["propelt_adapter", "propelt_lora", "propelt_prefix"])
def test_propelt_without_mask_learning_keeps_the_masks_that_it_starts_with(name):
    learned, fixed = Adapted(settings_of(name), "encoder"), Adapted(without(name, "mask_learning"), "encoder")
    masks = {path: m for path, m in fixed.model.named_modules() if isinstance(m, MaskScores)}
    for path, module in masks.items():
        scores = learned.model.get_submodule(path).scores
        assert torch.equal(module(), TopMask.apply(scores, module.keep))
    scores = {n for n in trained_shapes(learned) if n.endswith("scores")}
    assert scores
    assert trained_shapes(fixed).keys() == trained_shapes(learned).keys() - scores
    before = {path: module().clone() for path, module in masks.items()}
    fixed.train(4)
    assert all(torch.equal(before[path], module()) for path, module in masks.items())
    assert learned.method.stored_count(learned.model) == fixed.method.stored_count(fixed.model)


@pytest.mark.parametrize("name", ["propelt_adapter", "propelt_lora"])
def test_propelt_without_sharing_has_a_prototype_in_each_layer(name):
    shared, own = Adapted(settings_of(name), "encoder"), Adapted(without(name, "sharing"), "encoder")
    counts = [sum(p.numel() for n, p in trainable_parameters(a.model) if "prototype" in n) for a in (shared, own)]
    assert counts[1] == len(shared.setting.structure.blocks) * counts[0]
    assert sum("scores" in n for n in trained_shapes(own)) == sum("scores" in n for n in trained_shapes(shared))


@pytest.mark.parametrize(
    ("component", "gone"),
    [("attention", "attention.output.dense"), ("feed_forward", "output.dropout"), ("input_norm", "adapter_s.norm")],
)
def test_adapter_s_without_a_component_lacks_its_modules_and_no_other(component, gone):
    whole, less = Adapted(settings_of("adapter_s"), "encoder"), Adapted(without("adapter_s", component), "encoder")
    lost = trained_shapes(whole).keys() - trained_shapes(less).keys()
    assert lost == {name for name in trained_shapes(whole) if gone in name}
    assert lost
    assert trained_shapes(less).items() <= trained_shapes(whole).items()
    assert isinstance(less.method, AdapterS)


def test_adalora_without_adaptive_ranks_has_the_final_rank_from_the_start_to_the_end():
    adapted = Adapted(without("adalora", "adaptive_ranks"), "encoder", total_steps=12)
    target = adapted.method.target_r
    singular = {n: p for n, p in trainable_parameters(adapted.model) if "lora_E" in n}
    assert {tuple(p.shape) for p in singular.values()} == {(target, 1)}
    adapted.train(12)
    assert all((p != 0).all() for p in singular.values())


def test_adalora_without_orthogonality_has_the_tasks_loss_alone():
    batch = tiny_batch("encoder")
    losses = {}
    for at, settings in enumerate((settings_of("adalora"), without("adalora", "orthogonality"))):
        adapted = Adapted(settings, "encoder")
        outputs = adapted.model(**batch)
        losses[at] = outputs.loss - nn.functional.cross_entropy(outputs.logits, batch["labels"])
    assert losses[0] > 1e-3
    assert abs(losses[1].item()) < 1e-6


def test_gralora_without_blocks_is_lora():
    whole, bare = Adapted(settings_of("gralora"), "encoder"), Adapted(without("gralora", "blocks"), "encoder")
    assert own_count(whole) == own_count(bare) == own_count(Adapted(settings_of("lora"), "encoder"))
    bare.train(3)
    layer = next(module for module in bare.model.modules() if hasattr(module, "gralora_A"))
    product = (layer.gralora_A["default"][0] @ layer.gralora_B["default"][0]).T
    product *= bare.method.alpha["encoder"] / bare.method.r
    assert torch.allclose(layer.get_delta_weight("default"), product, atol=1e-6)


@pytest.mark.parametrize(("component", "site"), [("queries", "query"), ("values", "value")])
def test_lora_without_a_projection_leaves_it_alone(component, site):
    whole, less = Adapted(settings_of("lora"), "encoder"), Adapted(without("lora", component), "encoder")
    lost = trained_shapes(whole).keys() - trained_shapes(less).keys()
    assert lost == {name for name in trained_shapes(whole) if f".{site}." in name}


def test_lora_without_its_scale_adds_the_product_as_it_is():
    def scaling(settings):
        model = Adapted(settings, "encoder").model
        return {m.scaling["default"] for m in model.modules() if isinstance(m, LoraLayer)}

    whole = settings_of("lora")
    rank = whole["r"] if not isinstance(whole["r"], dict) else whole["r"]["encoder"]
    assert scaling(whole) == {whole["alpha"] / rank}
    assert scaling(without("lora", "scale")) == {1.0}


def test_lora_without_its_initialisation_draws_b_too():
    adapted = Adapted(without("lora", "initialisation"), "encoder")
    assert all(p.any() for n, p in trainable_parameters(adapted.model) if "lora_B" in n)


def test_lora_without_any_projection_trains_the_head_alone_and_is_refused_without_one():
    nothing = without("lora", "queries", "keys", "values", "output", "feed_forward")
    adapted = Adapted(nothing, "encoder")
    assert own_count(adapted) == 0
    assert adapted.method.merge(adapted.model, adapted.setting) is adapted.model
    with pytest.raises(UnsupportedError, match="nothing is left of LoRA"):
        Adapted(nothing, "decoder")


@pytest.mark.parametrize(
    ("component", "site"),
    [("keys", ".key."), ("values", ".value."), ("output", ".attention.output."), ("feed_forward", ".output.dense")],
)
def test_ia3_without_a_kind_of_vector_lacks_it_and_no_other(component, site):
    whole, less = Adapted(settings_of("ia3"), "encoder"), Adapted(without("ia3", component), "encoder")
    lost = trained_shapes(whole).keys() - trained_shapes(less).keys()
    of_site = {name for name in trained_shapes(whole) if site in name}
    of_site -= {name for name in of_site if component == "feed_forward" and ".attention." in name}
    assert lost == of_site
    assert lost


def test_child_tuning_without_fisher_draws_as_large_a_child_and_looks_at_no_data():
    adapted = Adapted(without("child_tuning_d", "fisher"), "encoder")

    def gradients():
        raise AssertionError("the data were looked at")
        yield

    torch.manual_seed(3)
    adapted.method.prepare(adapted.model, gradients)
    child = sum(int(b.sum()) for n, b in adapted.model.named_buffers() if n.endswith("_child"))
    whole = Adapted(settings_of("child_tuning_d"), "encoder")
    whole.method.prepare(whole.model, whole.gradients)
    assert child == sum(int(b.sum()) for n, b in whole.model.named_buffers() if n.endswith("_child"))
    assert adapted.method.trained_count(adapted.model) == whole.method.trained_count(whole.model)


@pytest.mark.parametrize("family", ["encoder", "encoder_decoder", "decoder"])
def test_prefix_tuning_through_a_network_keeps_what_the_plain_one_does(family, tmp_path):
    plain = settings_of("prefix_tuning")
    direct, through = Adapted(plain, family), Adapted(plain | {"inner": 24}, family)
    assert through.method.differences == ()
    assert through.method.stored_count(through.model) == direct.method.stored_count(direct.model)
    assert through.method.training_only_count(through.model) > 0
    losses = through.train(6)
    assert losses[-1] < losses[0]
    save_file(through.method.stored_state(through.model), tmp_path / "kept.safetensors")
    fresh = Adapted(plain | {"inner": 24}, family, seed=5)
    fresh.method.load_stored_state(fresh.model, load_file(tmp_path / "kept.safetensors"))
    batch = tiny_batch(family)
    expected = logits_of(through.model.eval(), batch)
    assert (logits_of(fresh.model.eval(), batch) - expected).abs().max() < 1e-5


def test_qlora_without_its_components_asks_for_a_plainer_base_and_optimizer():
    def wants(*components):
        method = build(without("qlora", *components), Method)
        options = method.load_options()
        return str(options.quantisation), options.double_quantisation, str(method.optimiser())

    assert wants() == ("nf4", True, "paged_adamw")
    assert wants("double_quantisation") == ("nf4", False, "paged_adamw")
    assert wants("nf4") == ("none", True, "paged_adamw")
    assert wants("paging") == ("nf4", True, "adamw")


@pytest.mark.parametrize("own", [True, False])
def test_double_quantisation_is_of_both_the_model_and_the_method(compose, own):
    base = compose("method=qlora", f"model.double_quantisation={own}".lower()).base
    methods = [build(without("qlora", *names), Method) for names in ((), ("double_quantisation",))]
    assert [as_wanted(base, method).double_quantisation for method in methods] == [own, False]
