"""Which methods go together, and in which order, where that changes what is computed.

What lies in different layers of the model (`Layer`) has an order by what the methods are. Within a layer two may act on
the same place, LoRA and (IA)³ on a projection, say: then the order has to be declared. docs/hybrids.md has the rules.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

from bench.configuration.schema import Family
from bench.errors import UnsupportedError, UserError, unknown_name
from bench.methods.adalora import AdaLora
from bench.methods.base import Category, Layer, Method, Setting
from bench.methods.ia3 import Ia3
from bench.methods.lora import Lora
from bench.methods.peft_any import PeftAny
from bench.methods.prefix_tuning import PrefixTuning
from bench.methods.shared.peft_library import IN_THE_CACHE, PeftMethod
from bench.methods.shared.sited_tuner import SitedTuner

PARTS = (Category.additive, Category.partial, Category.reparameterised)
WHERE = {
    Layer.weights: "is a part of the base's own weights",
    Layer.modules: "takes the place of the base's layers",
    Layer.activations: "acts on what the layers compute",
    Layer.inputs: "stands in front of the whole model",
}


def check_parts(name: str, methods: Sequence[Method]) -> None:
    """Refuse parts of the same name, of other categories, of one kin in the library, or with budgets of their own.

    Args:
        name: of the composition.
        methods: its parts.

    Raises:
        UserError: there are such.
    """
    names = [method.name for method in methods]
    for method in methods:
        if names.count(method.name) > 1:
            raise UserError(f"'{name}': two parts are called '{method.name}'; give one another name")
        if method.category not in PARTS:
            raise UserError(f"'{name}': {method.title} is {method.category}; parts must be {', '.join(PARTS)}")
        if method.budget is not None:
            raise UserError(f"'{name}': its part '{method.name}' has a budget of its own; share one: method.shares")
    kinds = [_kind(method) for method in methods]
    for kind in {kind for kind in kinds if kind and kinds.count(kind) > 1}:
        raise UserError(f"'{name}': {kind}'s kin lie in the same layers and share their names; take one of them")


def inside_out(named: Mapping[str, Method], order: Sequence[str]) -> list[str]:
    """The parts' names from the inside of the model to its outside: by layer, in a layer as declared, else as given.

    Args:
        named: the parts by name.
        order: what is declared: some of the names, the innermost first.

    Raises:
        UserError: a name that is none or comes twice, or an order against the layers.
    """
    for name in order:
        if name not in named:
            raise unknown_name("part in method.order", name, named)
        if order.count(name) > 1:
            raise UserError(f"method.order names '{name}' twice")
    for inner, outer in pairwise(order):
        one, other = named[inner].layer, named[outer].layer
        if one > other:
            raise UserError(
                f"method.order={_list(order)} cannot be had: '{outer}' {WHERE[other]} and '{inner}' {WHERE[one]}, so "
                f"that '{outer}' is always further inside"
            )
    ranked = sorted(named, key=lambda name: named[name].layer)
    places = [place for place, name in enumerate(ranked) if name in order]
    for place, name in zip(places, order, strict=True):
        ranked[place] = name
    return ranked


def check_order(named: Mapping[str, Method], order: Sequence[str], setting: Setting) -> None:
    """Every two parts that act on the same place can do so, and where it matters their order is declared.

    Args:
        named: the parts by name, as `inside_out` orders them.
        order: what is declared.
        setting: of the cell.

    Raises:
        UserError: an order is missing, or cannot be had in this model.
        UnsupportedError: the two cannot act on the same place.
    """
    for inner, outer in combinations(named, 2):
        met = _meeting(named[inner], named[outer], setting)
        if met is None:
            continue
        told = f"'{inner}' and '{outer}' both act on {met.place}" + (f" and {met.more} more" if met.more else "")
        if not met.can_stack:
            raise UnsupportedError(
                f"{told}, where they cannot be had together; take one of them, or give it other sites"
            )
        if met.is_reversed:
            raise UserError(
                f"{told}, where '{outer}' is always further inside in this model: say "
                f"method.order={_list([outer, inner])}"
            )
        if inner not in order or outer not in order:
            either = "" if met.is_fixed else f" or {_list([outer, inner])}"
            raise UserError(
                f"{told}, and what comes out depends on which is further inside: say "
                f"method.order={_list([inner, outer])}{either}, the innermost first"
            )


def check_alone(method: Method, beside: Sequence[Method], setting: Setting) -> None:
    """Refuse a prefix in the cache over another of the library's methods: it looks into the model that it wraps.

    Raises:
        UnsupportedError: there is one.
    """
    if isinstance(method, PrefixTuning):
        in_cache = setting.family != Family.encoder_decoder  # whose prefixes are our own
    else:
        in_cache = isinstance(method, PeftAny) and method.kind in IN_THE_CACHE
    if not in_cache:
        return
    for other in beside:
        if other is not method and isinstance(other, PeftMethod):
            raise UnsupportedError(
                f"{method.title} is put into the cache by the peft library, which cannot do it over {other.title}; "
                f"take bench.methods.prefix.Prefix in its place, which configs/method/mam.yaml has as a part"
            )


@dataclass(frozen=True)
class _Meeting:
    """Where two methods act on the same place.

    Attributes:
        place: the first.
        more: how many others there are.
        can_stack: whether they go over each other.
        is_fixed: whether the first is always further inside.
        is_reversed: whether the second is.
    """

    place: str
    more: int
    can_stack: bool
    is_fixed: bool
    is_reversed: bool


def _meeting(one: Method, other: Method, setting: Setting) -> _Meeting | None:
    if one.layer != other.layer:
        return None
    acts, others = one.acts(setting), other.acts(setting)
    shared = [place for place in acts if place in others and not (acts[place].adds and others[place].adds)]
    if not shared:
        return None
    depths = [(acts[place].depth, others[place].depth) for place in shared]
    return _Meeting(
        place=shared[0],
        more=len(shared) - 1,
        can_stack=(one.stacks and other.stacks) or all(a != b for a, b in depths),
        is_fixed=any(a < b for a, b in depths),
        is_reversed=any(a > b for a, b in depths),
    )


def _list(names: Sequence[str]) -> str:
    """As on the command line."""
    return f"[{','.join(names)}]"


def _kind(method: Method) -> str:
    """Under which name the peft library adds what it trains; nothing for methods that are not the library's."""
    if isinstance(method, AdaLora | Lora):
        return "LoRA"
    if isinstance(method, SitedTuner):
        return method.kind
    if isinstance(method, PeftAny):
        return "LoRA" if method.kind in ("ADALORA", "LORA") else method.kind
    return "IA3" if isinstance(method, Ia3) else ""
