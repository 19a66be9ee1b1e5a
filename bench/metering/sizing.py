"""A method's size for a budget of parameters: as close as its grid allows, found by counting on the meta device."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from torch import nn

from bench.configuration.schema import Dtype, Quantisation
from bench.errors import UnsupportedError, UserError
from bench.metering.parameters import count_adapted, count_all
from bench.methods.base import Method, Setting
from bench.methods.budget import TOLERANCE, Budget

LARGEST = 10**6  # a size that no method comes near


@dataclass(frozen=True)
class Sized:
    """A method that has the size of its budget.

    Attributes:
        method: the method.
        number: which of its sizes, see `Method.of_size`.
        budget: what was asked for.
        asked: the same in values.
        reached: values that it has.
        sizes: its settings of that size, by name.
    """

    method: Method
    number: int
    budget: Budget
    asked: float
    reached: float
    sizes: dict[str, int | float]

    def told(self) -> dict[str, Any]:
        """For the record."""
        return {
            "budget": self.budget.text, "asked": self.asked, "reached": self.reached, "sizes": self.sizes
        }  # fmt: skip


def sized(method: Method, empty: Callable[[], nn.Module], setting: Setting) -> Sized | None:
    """The method with the size that its budget asks for; None: it has none.

    Args:
        method: with or without a budget.
        empty: makes the bare model on the meta device.
        setting: what the method may know of the cell.

    Raises:
        UnsupportedError: it has no size, or none within a tenth of the budget.
    """
    if method.budget is None:
        return None
    budget = Budget.of(method.budget)
    target = budget.values(count_all(empty()))
    counts = _Counts(method, empty, setting)
    below, above = _around(counts.of, target)
    best = min(below, above, key=lambda number: abs(counts.of(number) - target))
    reached = counts.of(best)
    found = counts.method_of(best)
    if abs(reached - target) > TOLERANCE * target:
        nearest = " and ".join(counts.told(n) for n in sorted({below, above}) if counts.of(n) < math.inf)
        raise UnsupportedError(
            f"method.budget={budget.text} is {target:,.0f} values; the nearest that {method.title} can be here is "
            f"{nearest}, its head left out: more than {TOLERANCE:.0%} away"
        )
    return Sized(found, best, budget, target, reached, found.sizes(setting))


class _Counts:
    """How many values a method has by its size; each is counted once."""

    def __init__(self, method: Method, empty: Callable[[], nn.Module], setting: Setting) -> None:
        self._method, self._empty, self._setting = method, empty, setting
        self._known: dict[int, float] = {}

    def method_of(self, number: int) -> Method:
        """The method of that size."""
        return self._method.of_size(number, self._setting)

    def of(self, number: int) -> float:
        """Values without the head, infinitely many where it cannot be so large; what forbids the least size raises."""
        if number not in self._known:
            try:
                self._known[number] = self._count(number)
            except UserError:
                if number == 1:
                    raise
                self._known[number] = math.inf
        return self._known[number]

    def told(self, number: int) -> str:
        """Values, and the settings that give them."""
        sizes = self.method_of(number).sizes(self._setting)
        return f"{self.of(number):,.0f} ({', '.join(f'{name}={value:g}' for name, value in sizes.items())})"

    def _count(self, number: int) -> float:
        # Packed or in sixteen bits, a base has as many values.
        plain = replace(
            self._setting, quantisation=Quantisation.none, dtype=Dtype.float32, trained_dtype=Dtype.float32,
            gradient_checkpointing=False,
        )  # fmt: skip
        found = count_adapted(self._empty(), self.method_of(number), plain)
        return found.stored - found.head


def _around(count: Callable[[int], float], target: float) -> tuple[int, int]:
    """The last size that is not above the target, and the next one; twice the first where that is above."""
    low, high = 1, LARGEST
    if count(1) >= target:
        return 1, 1
    number, halve = 2, False
    while high - low > 1:
        low, high = (low, number) if count(number) > target else (number, high)
        number = _between(low, high, count, target, halve=halve)
        halve = not halve
    return low, high


def _between(low: int, high: int, count: Callable[[int], float], target: float, *, halve: bool) -> int:
    """Where to look next: most counts grow evenly, so on the line through two that are known; else in the middle."""
    is_known = high < LARGEST and count(high) < math.inf
    one, other = (low, high) if is_known else (1, low)
    begin, end = count(one), count(other)
    if end <= begin or (halve and high < LARGEST):
        return max(low + 1, min(high - 1, 2 * low if high == LARGEST else (low + high) // 2))
    guess = one + (target - begin) * (other - one) / (end - begin)
    return max(low + 1, min(high - 1, int(guess) + (high == LARGEST)))
