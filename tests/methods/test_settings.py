"""A setting that is given changes something or is refused: every field of every method's YAML."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch

from bench.configuration.schema import Family
from bench.errors import UserError
from tests.tiny import Adapted, all_methods, settings_of

# What a method is called, and what its settings mean, changes nothing else.
NAMES = {"_target_", "name", "title", "category", "paper", "components"}
FAMILIES = [family.value for family in Family]
# Of the peft library's own types, which are tried in test_peft_types.py.
ELSEWHERE = {("peft/any", "settings")}


def others(value: Any) -> list[Any]:
    """Other values of the same kind, near enough to be sensible."""
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return [value + 1, max(value - 1, 1), 2 * value]
    if isinstance(value, float):
        return [value * 1.5, value * 0.1] if value else [0.3]
    if isinstance(value, list):
        return [["output"], value[:-1]] if value else [["feed_forward_output"], ["key"]]
    return ["normalised"]


def fields(settings: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Paths to every field, through compositions and families."""
    for key, value in settings.items():
        if isinstance(value, dict) and key not in ("settings", "components"):
            yield from fields(value, (*path, key))
        elif key not in NAMES:
            yield (*path, key)


def changed(settings: Any, path: tuple[str, ...], value: Any) -> Any:
    """A copy with another value at `path`."""
    key, *rest = path
    return settings | {key: changed(settings[key], tuple(rest), value) if rest else value}


def seen(settings: dict[str, Any], family: str) -> list[Any]:
    """What a method does with a tiny model: which parameters it trains, how, and what comes of it."""
    adapted = Adapted(settings, family, total_steps=8)
    model, method = adapted.model, adapted.method
    shapes = [(name, tuple(p.shape)) for name, p in model.named_parameters() if p.requires_grad]
    configs = [str(m.peft_config) for m in model.modules() if isinstance(getattr(m, "peft_config", None), dict)]
    torch.manual_seed(5)
    losses = adapted.train(3, rate=1e-2)
    rates = [group.learning_rate for group in method.parameter_groups(model)]
    return [shapes, configs, losses, rates, method.optimiser(), method.load_options()]


def cases() -> list[tuple[str, str, tuple[str, ...]]]:
    """Method, family and path; a field that is set by family with that family, any other with a decoder."""
    return [
        (name, path[-1] if path[-1] in FAMILIES else "decoder", path)
        for name in all_methods()
        for path in fields(settings_of(name))
        if (name, path[0]) not in ELSEWHERE
    ]


@pytest.mark.parametrize(
    ("name", "family", "path"), cases(), ids=lambda value: ".".join(value) if isinstance(value, tuple) else value
)
def test_every_field_of_every_method_does_something(name, family, path):
    settings = settings_of(name)
    value = settings
    for key in path:
        value = value[key]
    before, refused = seen(settings, family), []
    for other in others(value):
        try:
            if seen(changed(settings, path, other), family) != before:
                return
        except UserError as error:
            refused.append(str(error))
    assert refused, f"method.{'.'.join(path)}={others(value)} changes nothing that {value} does not do"
    assert all("\n" not in line for line in refused)
