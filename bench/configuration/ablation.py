"""From a method's components to the cells of its ablation: one off at a time, or a two-level factorial design.

The factorial design is full up to five components. Beyond, it is a fraction of 32 cells of resolution IV: the sixth
component and each further one is on where the product of an odd number, three or five, of the first five is, so that no
main effect is mixed with another or with an interaction of two (Box, Hunter and Hunter, Statistics for Experimenters,
chapter 12). What is a part of something that is off makes no cell of its own.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from functools import cache
from math import prod
from typing import Any

from omegaconf import DictConfig, OmegaConf

from bench.configuration.components import DECLARED, WITHOUT, State, settle_components
from bench.errors import UserError, unknown_name

FULL_UP_TO = 5
FACTORS = ("model", "method")  # sections that a method's components depend on


class Design(StrEnum):
    """Which components are off together."""

    one_off = "one_off"
    factorial = "factorial"


def design_of(word: str) -> Design:
    """The design that a word names.

    Raises:
        UserError: none is called so.
    """
    if word not in list(Design):
        raise unknown_name("design", word, list(Design))
    return Design(word)


def designed(cells: Sequence[list[str]], design: Design, compose: Callable[[list[str]], DictConfig]) -> list[list[str]]:
    """Every cell with its components on, and as often as the design asks for with some of them off.

    Args:
        cells: overrides of each.
        design: which components are off together.
        compose: from overrides to a configuration.

    Raises:
        UserError: a method declares no components, none of them is on, or there are too many of them.
    """

    @cache
    def on(choices: tuple[str, ...]) -> list[str]:
        return _on(compose(list(choices)))

    found = []
    for overrides in cells:
        choices = tuple(word for word in overrides if word.lstrip("+~").partition("=")[0].split(".")[0] in FACTORS)
        for off in points(on(choices), design):
            found.append([*overrides, *([f"method.{WITHOUT}=[{','.join(off)}]"] if off else [])])
    return found


def points(names: Sequence[str], design: Design) -> Iterator[list[str]]:
    """Which of the components are off in each cell; in the first none is.

    Raises:
        UserError: there are more than a fraction of 32 cells can tell apart.
    """
    if design == Design.one_off:
        yield []
        yield from ([name] for name in names)
        return
    base = names[:FULL_UP_TO]
    words = [word for size in (5, 3) for word in itertools.combinations(range(len(base)), size)]
    further = names[FULL_UP_TO:]
    if len(further) > len(words):
        raise UserError(f"{len(names)} components: a fraction of 32 cells takes {FULL_UP_TO + len(words)} at most")
    for signs in itertools.product((1, -1), repeat=len(base)):
        more = [prod(signs[place] for place in word) for word, _ in zip(words, further, strict=False)]
        yield [name for name, sign in zip(names, [*signs, *more], strict=True) if sign < 0]


def _on(config: DictConfig) -> list[str]:
    """The components that are on in a composed configuration, in the order of their declaration."""
    method: Any = OmegaConf.to_container(config.method, resolve=True)
    settle_components(method, config.model.family)
    states: dict[str, str] = method.get(DECLARED, {})
    if not states:
        raise UserError(f"'{method.get('name')}' declares no components, so that nothing of it can be left out")
    found = [name for name, state in states.items() if state == State.on]
    if not found:
        raise UserError(f"every component of {method.get('name')} is off already: {', '.join(states)}; put one on")
    return found
