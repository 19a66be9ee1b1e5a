"""Whether a method does on a kind of model what it promises; what it cannot do, in its own words."""

from torch import nn

from bench.configuration.compose import build
from bench.configuration.schema import Family, Quantisation
from bench.errors import UnsupportedError, UserError
from bench.metering.parameters import count_all, count_parameters
from bench.methods.base import Method
from bench.methods.promises import CLOSE, Reached, broken_merge, broken_start, differ
from bench.models.families import structure_of
from bench.models.quantisation import check_packable, quantise, settle
from scripts.model_kinds import kind_model
from tests.tiny import Adapted, logits_of, settings_of, tiny_batch

NEAR = 0.2  # of logits, where a merged model computes in another type


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
        _hold(broken_start(adapted.method, logits_of(adapted.model, batch), before))
        reached = Reached(adapted.model)
        counts = count_parameters(adapted.model, adapted.method, adapted.setting.structure, total)
        trained = sum(p.numel() for p in adapted.model.parameters() if p.requires_grad)
        assert counts.trainable == trained - adapted.method.held_count(adapted.model), "its count is not what it trains"
        adapted.train(3)
        _hold(reached.broken(adapted.method))
        expected = logits_of(adapted.model, other)
        fresh = Adapted(settings_of(method), family, seed=2, base=_base(method, family, kind))
    except (UnsupportedError, UserError) as error:
        return str(error)
    fresh.method.load_stored_state(fresh.model, adapted.method.stored_state(adapted.model))
    assert differ(logits_of(fresh.model, other), expected) < CLOSE, "what is stored gives other outputs"
    # Four-bit layers compute in bf16, the unpacked ones in fp32.
    close = NEAR if adapted.setting.quantisation == Quantisation.nf4 else CLOSE
    _hold(
        broken_merge(
            adapted.method,
            adapted.model,
            adapted.setting,
            lambda merged: logits_of(merged, other),
            expected,
            close=close,
        )
    )
    return None


def _hold(broken: str | None) -> None:
    assert broken is None, broken


def _base(method: str, family: Family, kind: str) -> nn.Module:
    """A model of the kind, stored as the method wants it."""
    model = kind_model(family, kind)
    if build(settings_of(method), Method).load_options().quantisation == Quantisation.nf4:
        structure = structure_of(model, family)
        check_packable(structure)
        quantise(model, structure.linears)
        settle(model)
    return model
