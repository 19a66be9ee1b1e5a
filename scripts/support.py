"""Whether a method does on a kind of model what it promises; what it cannot do, in its own words."""

import torch
from torch import nn

from bench.configuration.compose import build
from bench.configuration.schema import Family, Quantisation
from bench.errors import UnsupportedError, UserError
from bench.metering.parameters import count_all, count_parameters
from bench.methods.base import Method
from bench.models.families import structure_of
from bench.models.quantisation import check_packable, quantise, settle
from scripts.model_kinds import kind_model
from tests.tiny import Adapted, logits_of, settings_of, tiny_batch

CLOSE, NEAR = 1e-4, 0.2  # of logits: norms of large values round


def why_not(method: str, family: Family, kind: str) -> str | None:
    """Try a method on a tiny model of a kind.

    Returns:
        The reason why it is refused; None where it works, and keeps its promises.

    Raises:
        AssertionError: it works and breaks one, which is named.
    """
    batch, other = tiny_batch(family), tiny_batch(family, seed=5)
    try:
        base = _base(method, family, kind)
        before, total = logits_of(base, batch), count_all(base)
        adapted = Adapted(settings_of(method), family, base=base)
        _check_start(adapted, batch, before)
        reached = _reached(adapted)
        counts = count_parameters(adapted.model, adapted.method, adapted.setting.structure, total)
        trained = sum(p.numel() for p in adapted.model.parameters() if p.requires_grad)
        assert counts.trainable == trained - adapted.method.held_count(adapted.model), "its count is not what it trains"
        adapted.train(3)
        _check_reached(adapted, reached)
        expected = logits_of(adapted.model, other)
        fresh = Adapted(settings_of(method), family, seed=2, base=_base(method, family, kind))
    except (UnsupportedError, UserError) as error:
        return str(error)
    fresh.method.load_stored_state(fresh.model, adapted.method.stored_state(adapted.model))
    assert _differ(logits_of(fresh.model, other), expected) < CLOSE, "what is stored gives other outputs"
    _check_merged(adapted, other, expected)
    return None


def _base(method: str, family: Family, kind: str) -> nn.Module:
    """A model of the kind, stored as the method wants it."""
    model = kind_model(family, kind)
    if build(settings_of(method), Method).load_options().quantisation == Quantisation.nf4:
        structure = structure_of(model, family)
        check_packable(structure)
        quantise(model, structure.linears)
        settle(model)
    return model


def _check_start(adapted: Adapted, batch: dict[str, torch.Tensor], before: torch.Tensor) -> None:
    if adapted.method.identity_at_start:
        assert _differ(logits_of(adapted.model, batch), before) < CLOSE, "it is not the base at the start"
    else:
        assert adapted.method.why_not_identity


def _reached(adapted: Adapted) -> set[str]:
    """Takes the names of trained tensors as they get a gradient that is not zero everywhere."""
    names: set[str] = set()
    for name, parameter in adapted.model.named_parameters():
        if parameter.requires_grad:
            parameter.register_post_accumulate_grad_hook(
                lambda p, name=name: names.add(name) if p.grad is not None and p.grad.any() else None
            )
    return names


def _check_reached(adapted: Adapted, names: set[str]) -> None:
    """All are reached, but what the method says is not; a base that is trained whole may have parts without use."""
    method: Method = adapted.method
    wanted = {name for name, p in adapted.model.named_parameters() if p.requires_grad}
    excused = {name for name in wanted if any(part in name for part, _ in method.without_gradient)}
    missing = sorted(wanted - names - excused)
    assert method.trains_base or not missing, f"no gradient for {missing[:3]}"


def _check_merged(adapted: Adapted, batch: dict[str, torch.Tensor], expected: torch.Tensor) -> None:
    if not adapted.method.mergeable:
        return
    try:
        merged: nn.Module = adapted.method.merge(adapted.model, adapted.setting)
    except UserError:
        return
    # Four-bit layers compute in bf16, the unpacked ones in fp32.
    close = NEAR if adapted.setting.quantisation == Quantisation.nf4 else CLOSE
    assert _differ(logits_of(merged, batch), expected) < close, "merged it computes something else"


def _differ(one: torch.Tensor, other: torch.Tensor) -> float:
    return float((one - other).abs().max() / other.abs().max().clamp(min=1.0))
