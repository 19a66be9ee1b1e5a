"""Each method of our own against its formula, written out in plain tensor operations on one layer."""

import pytest
import torch
from torch.nn import functional

from bench.errors import UnsupportedError, UserError
from bench.methods.child_tuning import MASK
from tests.tiny import Adapted, settings_of, tiny_batch, tiny_model

WIDTH = 64


def hidden(seed=0):
    return torch.randn(2, 7, WIDTH, generator=torch.Generator().manual_seed(seed))


def trained(name, family):
    """A model after some steps, so that no parameter is at its neutral start; in evaluation mode."""
    adapted = Adapted(settings_of(name), family)
    adapted.train(4)
    return adapted.model.eval()


def bottleneck(x, down, up):
    return torch.relu(x @ down.weight.T + down.bias) @ up.weight.T + up.bias


def layer_norm(x, norm):
    centred = x - x.mean(-1, keepdim=True)
    return centred / (centred.square().mean(-1, keepdim=True) + norm.eps).sqrt() * norm.weight + norm.bias


def rms_norm(x, norm):
    return x / (x.square().mean(-1, keepdim=True) + norm.variance_epsilon).sqrt() * norm.weight


def test_sequential_adapter():
    layer = trained("adapter_s", "encoder").roberta.encoder.layer[0]
    attention, x, residual = layer.attention.output, hidden(0), hidden(1)
    h = x @ attention.dense.weight.T + attention.dense.bias
    adapter = attention.dense.adapter_s
    h = h + bottleneck(layer_norm(h, adapter.norm), adapter.bottleneck.down, adapter.bottleneck.up)
    assert torch.allclose(attention(x, residual), layer_norm(h + residual, attention.LayerNorm), atol=1e-5)

    x, output = torch.randn(2, 7, 128), layer.output
    h = x @ output.dense.weight.T + output.dense.bias
    adapter = output.dropout.adapter_s
    assert adapter.norm is None
    h = h + bottleneck(h, adapter.bottleneck.down, adapter.bottleneck.up)
    assert torch.allclose(output(x, residual), layer_norm(h + residual, output.LayerNorm), atol=1e-5)


def test_sequential_adapter_sits_on_all_three_branches_of_a_t5_decoder_layer():
    layers = trained("adapter_s", "encoder_decoder").decoder.block[0].layer
    for projection in (layers[0].SelfAttention.o, layers[1].EncDecAttention.o):
        x, adapter = hidden(), projection.adapter_s
        h = x @ projection.weight.T
        expected = h + bottleneck(layer_norm(h, adapter.norm), adapter.bottleneck.down, adapter.bottleneck.up)
        assert torch.allclose(projection(x), expected, atol=1e-5)
    x = hidden()
    inner = torch.relu(rms_norm(x, layers[2].layer_norm) @ layers[2].DenseReluDense.wi.weight.T)
    h = inner @ layers[2].DenseReluDense.wo.weight.T
    adapter = layers[2].dropout.adapter_s.bottleneck
    assert torch.allclose(layers[2](x), x + h + bottleneck(h, adapter.down, adapter.up), atol=1e-4)


@pytest.mark.parametrize(
    ("family", "dropout"), [("encoder", "hidden_dropout_prob"), ("encoder_decoder", "dropout_rate")]
)
def test_sequential_adapter_reads_the_feed_forward_after_its_dropout_and_the_attention_before(family, dropout):
    """Where the dropout lets nothing pass, only what comes after it is heard: the bias of the up-projection."""
    model = Adapted(settings_of("adapter_s"), family, base=tiny_model(family, **{dropout: 1.0})).model
    bias = torch.linspace(-1, 1, WIDTH)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("up.bias"):
                parameter.copy_(bias)
    block = (model.roberta.encoder.layer if family == "encoder" else model.encoder.block)[0].train()
    x = hidden()
    if family == "encoder":
        expected = layer_norm(x + bias, block.output.LayerNorm)
        assert torch.allclose(block.output(torch.randn(2, 7, 128), x), expected, atol=1e-5)
        assert torch.allclose(block.attention.output(x, x), layer_norm(x, block.attention.output.LayerNorm), atol=1e-5)
    else:
        assert torch.allclose(block.layer[1](x), x + bias)
        assert torch.allclose(block.layer[0](x)[0], x)


def test_pfeiffer_adapter_behind_the_norm():
    output = trained("adapter_pfeiffer", "encoder").roberta.encoder.layer[0].output
    inner, x, norm = torch.randn(2, 7, 128), hidden(), output.LayerNorm
    h = inner @ output.dense.weight.T + output.dense.bias
    adapter = norm.adapter_pfeiffer.bottleneck
    change = bottleneck(layer_norm(h + x, norm), adapter.down, adapter.up)
    assert torch.allclose(output(inner, x), layer_norm(h + change + x, norm), atol=1e-5)


@pytest.mark.parametrize("family", ["encoder_decoder", "decoder"])
def test_pfeiffer_adapter_in_a_pre_norm_model(family):
    model, bare = trained("adapter_pfeiffer", family), tiny_model(family)
    x = hidden()
    if family == "decoder":
        layer, plain = model.model.layers[0], bare.model.layers[0]
        positions = bare.model.rotary_emb(x, torch.arange(7)[None])
        total, actual = plain(x, position_embeddings=positions), layer(x, position_embeddings=positions)
        norm = layer.post_attention_layernorm
    else:
        layer, plain = model.encoder.block[0].layer[1], bare.encoder.block[0].layer[1]
        total, actual, norm = plain(x), layer(x), layer.layer_norm
    adapter = layer.adapter_pfeiffer.bottleneck
    assert torch.allclose(actual, total + bottleneck(rms_norm(total, norm), adapter.down, adapter.up), atol=1e-5)


def test_parallel_adapter_behind_the_norm():
    layer = trained("adapter_parallel", "encoder").roberta.encoder.layer[0]
    x, adapter = hidden(), layer.output.adapter_parallel.bottleneck
    inner = functional.gelu(x @ layer.intermediate.dense.weight.T + layer.intermediate.dense.bias)
    h = inner @ layer.output.dense.weight.T + layer.output.dense.bias
    h = h + 2 * bottleneck(x, adapter.down, adapter.up)
    assert torch.allclose(layer.feed_forward_chunk(x), layer_norm(h + x, layer.output.LayerNorm), atol=1e-5)


def in_and_out(model, module):
    """What a module was given and what it gave in a pass of the whole model, by path."""
    seen = {}
    hook = model.get_submodule(module).register_forward_hook(
        lambda _, inputs, output: seen.update(given=inputs[0], gave=output[0] if isinstance(output, tuple) else output)
    )
    with torch.no_grad():
        model(**tiny_batch("encoder_decoder" if "block" in module else "decoder"))
    hook.remove()
    return seen["given"], seen["gave"]


def gated(x, mlp, activation=functional.silu):
    return (activation(x @ mlp.gate_proj.weight.T) * (x @ mlp.up_proj.weight.T)) @ mlp.down_proj.weight.T


@pytest.mark.parametrize("reads", ["residual", "normalised"])
def test_parallel_adapter_in_a_pre_norm_model_reads_the_residual_stream_or_what_the_norm_gives(reads):
    settings = settings_of("adapter_parallel") | {"reads": reads}
    adapted = Adapted(settings, "decoder")
    adapted.train(4)
    model, layer = adapted.model.eval(), adapted.model.model.layers[0]
    x, _ = in_and_out(model, "model.layers.0.post_attention_layernorm")
    _, actual = in_and_out(model, "model.layers.0")
    normed, adapter = rms_norm(x, layer.post_attention_layernorm), layer.mlp.adapter_parallel.bottleneck
    change = bottleneck(x if reads == "residual" else normed, adapter.down, adapter.up)
    assert torch.allclose(actual, x + gated(normed, layer.mlp) + 4 * change, atol=1e-5)

    adapted = Adapted(settings, "encoder_decoder")
    adapted.train(4)
    model = adapted.model.eval()
    x, actual = in_and_out(model, "decoder.block.1.layer.2")
    site = model.decoder.block[1].layer[2]
    normed, adapter = rms_norm(x, site.layer_norm), site.DenseReluDense.adapter_parallel.bottleneck
    h = torch.relu(normed @ site.DenseReluDense.wi.weight.T) @ site.DenseReluDense.wo.weight.T
    change = bottleneck(x if reads == "residual" else normed, adapter.down, adapter.up)
    assert torch.allclose(actual, x + h + 4 * change, atol=1e-4)


def test_parallel_adapter_has_no_choice_where_nothing_stands_before_the_feed_forward():
    with pytest.raises(UnsupportedError, match="normalised"):
        Adapted(settings_of("adapter_parallel") | {"reads": "normalised"}, "encoder")
    with pytest.raises(UserError, match="residul"):
        Adapted(settings_of("adapter_parallel") | {"reads": "residul"}, "decoder")


def test_the_authors_dropout_is_in_every_parallel_adapter():
    assert settings_of("adapter_parallel")["dropout"] == settings_of("mam")["parts"]["adapter"]["dropout"] == 0.1


def kept(scores, share):
    """The mask by a full sort, as the authors write it."""
    order = scores.detach().abs().flatten().argsort()
    mask = torch.ones(scores.numel())
    mask[order[: int((1 - share) * scores.numel())]] = 0
    return mask.view(scores.shape)


def test_propelt_adapter():
    model = trained("propelt_adapter", "encoder")
    for layer in model.roberta.encoder.layer:
        output, inner, x = layer.output, torch.randn(2, 7, 128), hidden()
        masked = output.LayerNorm.propelt_adapter.bottleneck
        down, up = masked.prototype["down"], masked.prototype["up"]
        h = inner @ output.dense.weight.T + output.dense.bias
        normed = layer_norm(h + x, output.LayerNorm)
        low = torch.relu(normed @ (down.weight * kept(masked.down_mask.scores, 0.5)).T + down.bias)
        change = low @ (up.weight * kept(masked.up_mask.scores, 0.5)).T + up.bias
        assert torch.allclose(output(inner, x), layer_norm(h + change + x, output.LayerNorm), atol=1e-5)
    first, second = (layer.output.LayerNorm.propelt_adapter.bottleneck for layer in model.roberta.encoder.layer)
    assert first.prototype is second.prototype
    assert not torch.equal(first.down_mask.scores, second.down_mask.scores)


def test_propelt_lora():
    settings = settings_of("propelt_lora")
    model = trained("propelt_lora", "encoder")
    for site in ("query", "value"):
        projection, x = getattr(model.roberta.encoder.layer[1].attention.self, site), hidden()
        masked = projection.propelt_lora
        a = masked.prototype["A"] * kept(masked.a_mask.scores, 0.1)
        b = masked.prototype["B"] * kept(masked.b_mask.scores, 0.1)
        expected = x @ projection.weight.T + projection.bias + settings["alpha"] / settings["r"] * x @ a.T @ b.T
        assert torch.allclose(projection(x), expected, atol=1e-5)
    attentions = [layer.attention.self for layer in model.roberta.encoder.layer]
    assert attentions[0].query.propelt_lora.prototype is attentions[1].query.propelt_lora.prototype
    assert attentions[0].query.propelt_lora.prototype is not attentions[0].value.propelt_lora.prototype


def test_mask_scores_get_the_masks_gradient_with_their_sign():
    from bench.methods.shared.mask_scores import TopMask

    scores = torch.tensor([0.5, -2.0, 0.1, -0.3], requires_grad=True)
    mask = TopMask.apply(scores, 0.5)
    assert mask.tolist() == [1, 1, 0, 0]
    (mask * torch.tensor([1.0, 2.0, 3.0, 4.0])).sum().backward()
    assert scores.grad.tolist() == [1, -2, 3, -4]


def adamw(weight, gradients, mask, rate, decay):
    """AdamW on the child alone, step by step."""
    betas, epsilon = (0.9, 0.999), 1e-8
    weight, first, second = weight.clone(), torch.zeros_like(weight), torch.zeros_like(weight)
    for step, whole in enumerate(gradients, start=1):
        gradient = whole * mask
        first = betas[0] * first + (1 - betas[0]) * gradient
        second = betas[1] * second + (1 - betas[1]) * gradient.square()
        update = first / (1 - betas[0] ** step) / ((second / (1 - betas[1] ** step)).sqrt() + epsilon)
        weight = weight - rate * (update + decay * weight) * mask
    return weight


def test_child_tuning_d_step_by_step():
    adapted = Adapted(settings_of("child_tuning_d"), "encoder")
    name = "roberta.encoder.layer.1.intermediate.dense.weight"
    parameter = adapted.model.get_parameter(name)
    start, seen = parameter.detach().clone(), []
    silence = adapted.method.on_gradients

    def record(model):
        seen.append(parameter.grad.clone())
        silence(model)

    adapted.method.on_gradients = record
    adapted.train(5, rate=1e-2)
    mask = adapted.model.get_buffer(name + MASK).float()
    assert 0 < mask.mean() < 1
    assert torch.allclose(parameter, adamw(start, seen, mask, rate=1e-2, decay=0.1), atol=1e-6)
    assert torch.equal(parameter[mask == 0], start[mask == 0])


def test_child_tuning_d_chooses_the_largest_fisher_information():
    adapted = Adapted(settings_of("child_tuning_d"), "encoder")
    model, fisher = adapted.model.train(), {}
    for seed in range(3):
        model.zero_grad()
        model(**tiny_batch("encoder", seed)).loss.backward()
        for name, parameter in model.named_parameters():
            if ".layer." in name:
                clipped = parameter.grad * min(1.0, 1.0 / (parameter.grad.norm().item() + 1e-6))
                fisher[name] = fisher.get(name, 0) + clipped.square() / 3
    model.zero_grad()
    adapted.method.prepare(model, adapted.gradients)
    everything = torch.cat([values.flatten() for values in fisher.values()])
    count = round(0.3 * everything.numel())
    threshold = everything.sort(descending=True).values[count - 1]
    chosen = 0
    for name, values in fisher.items():
        mask = model.get_buffer(name + MASK)
        chosen += int(mask.sum())
        clear = (values - threshold).abs() > 1e-6 * threshold
        assert torch.equal(mask[clear], (values > threshold)[clear])
    assert chosen == count


def test_child_tuning_f_keeps_a_share_of_the_gradient_and_its_mean():
    adapted = Adapted(settings_of("child_tuning_f"), "encoder")
    parameter = adapted.model.get_parameter("roberta.encoder.layer.0.intermediate.dense.weight")
    parameter.grad = torch.ones_like(parameter)
    adapted.method.on_gradients(adapted.model)
    assert parameter.grad.unique().tolist() == [0, pytest.approx(1 / 0.3)]
    assert parameter.grad.mean().item() == pytest.approx(1, abs=0.1)
