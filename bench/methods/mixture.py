"""A mixture as a number for each part: which parts are in, and what share of the budget each of them has.

So that one can be searched: every point is a mixture, and shares go to nothing where a part goes out.
"""

from collections.abc import Iterable, Mapping

from bench.configuration.ranges import SHARE
from bench.errors import UnsupportedError, UserError, unknown_name
from bench.methods.base import Method, Setting

Mix = Mapping[str, float | None]

OUT = 0.5  # a part whose number is this or less is left out; how far above it is decides the share
DIGITS = 2  # of a share in a title


def check_mix(mix: Mix, names: Iterable[str], shares: Mapping[str, float], budget: object) -> dict[str, float]:
    """The numbers that are given; none where none is.

    Args:
        mix: by part; what is null is not given.
        names: of the parts.
        shares: as they are declared; those of a mixture follow from it.
        budget: of the composition; None: it has none.

    Raises:
        UserError: there is nothing to share, shares are declared too, no such part, one that nothing is said of, or
            what is no number from 0 to 1.
    """
    given = {name: number for name, number in mix.items() if number is not None}
    if not given:
        return {}
    if shares:
        raise UserError("method.mix and method.shares both share out the budget; give one of them")
    if budget is None:
        raise UserError("method.mix shares out a budget; say method.budget=… too")
    known = list(names)
    for name, number in given.items():
        if name not in known:
            raise unknown_name("part in method.mix", name, known)
        if number not in SHARE:
            raise UserError(f"method.mix.{name}={number} must be a number from 0 to 1")
    for name in known:
        if name not in given:
            raise UserError(f"method.mix says nothing of '{name}'; give every part a number from 0 to 1")
    return given


def is_in(mix: Mapping[str, float], name: str) -> bool:
    """Whether a part is in the mixture; without one all are."""
    return not mix or mix[name] > OUT


def shares_in(mix: Mapping[str, float], named: Mapping[str, Method], setting: Setting) -> dict[str, float]:
    """The shares of the parts that are in and have a size, by how far their numbers lie above `OUT`; 1 together.

    Raises:
        UnsupportedError: there is none.
    """
    above = {name: mix[name] - OUT for name, part in named.items() if part.sizes(setting)}
    if not above:
        left = ", ".join(part.title for part in named.values())
        told = f"only {left}, without a size that the budget could choose" if left else "no part"
        raise UnsupportedError(f"method.mix leaves {told}; a part is in where its number is above {OUT}")
    return {name: number / sum(above.values()) for name, number in above.items()}


def title_of(named: Mapping[str, Method], shares: Mapping[str, float]) -> str:
    """`LoRA 0.7 + Adapter (parallel) 0.3 + BitFit`."""
    several = len(shares) > 1
    return " + ".join(
        f"{part.title} {shares[name]:.{DIGITS}g}" if several and name in shares else part.title
        for name, part in named.items()
    )
