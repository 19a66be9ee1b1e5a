"""`model.attention` changes memory and time, not what is computed: every method, on every family."""

import pytest
import torch

from tests.tiny import Adapted, all_methods, logits_of, settings_of, tiny_batch, tiny_model

STEPS = 2
ROUNDING, ROUNDING_OF_BF16 = 1e-5, 2e-2  # relative to the largest; a quantised base computes in bf16


@pytest.mark.parametrize("family", ["encoder", "encoder_decoder", "decoder"])
@pytest.mark.parametrize("method", all_methods())
def test_losses_and_logits_are_the_same_with_either(family, method):
    quantised = method == "qlora"
    tolerance = ROUNDING_OF_BF16 if quantised else ROUNDING
    settings, found = settings_of(method), []
    if method == "lora":  # scaled as on the miniature, gradients are so small that rounding turns Adam's steps round
        settings["alpha"] = 16
    for kind in ("sdpa", "eager"):
        adapted = Adapted(settings, family, base=tiny_model(family, quantised, attn_implementation=kind))
        assert adapted.model.config._attn_implementation in (kind, f"prefixed_{kind}")
        torch.manual_seed(3)  # of the method's own dropout
        losses = adapted.train(STEPS, rate=1e-3)
        found.append((losses, logits_of(adapted.model, tiny_batch(family))))
    (losses, logits), (other_losses, other_logits) = found
    assert other_losses == pytest.approx(losses, rel=tolerance)
    assert float((logits - other_logits).abs().max()) < tolerance * float(logits.abs().max())
