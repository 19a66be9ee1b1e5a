"""Shares of a budget: which part of a composition gets how much of it."""

from collections.abc import Mapping
from math import isclose

from bench.errors import UserError, unknown_name
from bench.methods.base import Method, Setting, Shared

TOLERANCE = 1e-3  # of their sum: thirds are written as 0.333


def check_shares(shares: Mapping[str, float], named: Mapping[str, Method], budget: object) -> None:
    """Refuse what no model is needed to see through.

    Args:
        shares: by part.
        named: the parts.
        budget: of the composition; None: it has none.

    Raises:
        UserError: there is nothing to share, or no such part, or shares are no shares, or not 1 together.
    """
    if not shares:
        return
    if budget is None:
        raise UserError("method.shares share out a budget; say method.budget=… too")
    for name, share in shares.items():
        if name not in named:
            raise unknown_name("part in method.shares", name, named)
        if not 0 < share <= 1:
            raise UserError(f"method.shares.{name}={share} must be above 0 and at most 1")
    total = sum(shares.values())
    if not isclose(total, 1, abs_tol=TOLERANCE):
        raise UserError(f"method.shares are {total:g} together and must be 1")


def shared_out(shares: Mapping[str, float], named: Mapping[str, Method], setting: Setting) -> dict[str, Shared]:
    """The parts that have shares; none where there are no shares.

    Raises:
        UserError: a part that has a size has no share, or one that has none has.
    """
    for name, part in named.items() if shares else ():
        if name in shares and not part.sizes(setting):
            raise UserError(f"method.shares names '{name}', but {part.title} has no size that a budget could choose")
        if name not in shares and part.sizes(setting):
            raise UserError(f"method.shares says nothing of '{name}'; all parts that have a size share the budget")
    return {name: Shared(part, shares[name]) for name, part in named.items() if name in shares}
