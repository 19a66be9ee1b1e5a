"""A method's size for a budget of parameters: as close as its grid allows, found by counting on the meta device."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from torch import nn

from bench.configuration.schema import Dtype, Quantisation
from bench.errors import UnsupportedError, UserError
from bench.metering.parameters import count_adapted, count_all
from bench.methods.base import Method, Setting, Shared
from bench.methods.budget import TOLERANCE, Budget, Size

LARGEST = 10**6  # a size that no method comes near


@dataclass(frozen=True)
class Sized:
    """A method that has the size of its budget.

    Attributes:
        method: the method.
        size: which of its sizes, see `Method.in_size`.
        budget: what was asked for.
        asked: the same in values.
        reached: values that it has.
        sizes: its settings of that size, by name.
        parts: where shares of the budget are declared, what each part was to have and has.
    """

    method: Method
    size: Size
    budget: Budget
    asked: float
    reached: float
    sizes: dict[str, int | float]
    parts: dict[str, dict[str, float]] = field(default_factory=dict)

    def told(self) -> dict[str, Any]:
        """For the record."""
        told = {"budget": self.budget.text, "asked": self.asked, "reached": self.reached, "sizes": self.sizes}
        return told | ({"parts": self.parts} if self.parts else {})


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
    model = _Model(empty, setting)
    if shared := method.shared_out(setting):
        return _by_shares(method, shared, model, budget, target)
    counts = _Counts(method, model)
    best, below, above = _nearest(counts.of, target)
    reached = counts.of(best)
    found = counts.method_of(best)
    if abs(reached - target) > TOLERANCE * target:
        raise UnsupportedError(
            f"method.budget={budget.text} is {target:,.0f} values; the nearest that {method.title} can be here is "
            f"{counts.told(below, above)}, its head left out: more than {TOLERANCE:.0%} away"
        )
    return Sized(found, best, budget, target, reached, found.sizes(setting))


@dataclass(frozen=True)
class _Model:
    """On which methods are counted. Attributes: empty, makes it bare on the meta device; setting, of the cell."""

    empty: Callable[[], nn.Module]
    setting: Setting

    def values(self, method: Method) -> float:
        """How many a method that has its size keeps, its head left out.

        Raises:
            UserError: it does not go with the model.
        """
        # Packed or in sixteen bits, a base has as many values.
        plain = replace(
            self.setting, quantisation=Quantisation.none, dtype=Dtype.float32, trained_dtype=Dtype.float32,
            gradient_checkpointing=False,
        )  # fmt: skip
        found = count_adapted(self.empty(), method, plain)
        return found.stored - found.head


def _by_shares(method: Method, shared: dict[str, Shared], model: _Model, budget: Budget, target: float) -> Sized:
    """Each part by itself as near as it can be to its share of what the parts without a size leave."""
    counts = {name: _Counts(part.method, model) for name, part in shared.items()}
    least = model.values(method.in_size(dict.fromkeys(shared, 1), model.setting))
    without_size = least - sum(count.of(1) for count in counts.values())
    left = target - without_size
    said = f"method.budget={budget.text} is {target:,.0f} values"
    if left <= 0:
        raise UnsupportedError(f"{said}, and the parts of {method.title} without a size take {without_size:,.0f}")
    sizes, parts = {}, {}
    for name, part in shared.items():
        asked = part.share * left
        sizes[name], below, above = _nearest(counts[name].of, asked)
        reached = counts[name].of(sizes[name])
        parts[name] = {"share": part.share, "asked": asked, "reached": reached}
        if abs(reached - asked) > TOLERANCE * target:
            raise UnsupportedError(
                f"{said}, of which '{name}' has {asked:,.0f}; the nearest that it can be here is "
                f"{counts[name].told(below, above)}: more than {TOLERANCE:.0%} of the budget away"
            )
    found = method.in_size(sizes, model.setting)
    whole = model.values(found)
    if abs(whole - target) > TOLERANCE * target:
        raise UnsupportedError(
            f"{said}; with its parts' sizes nearest to their shares {method.title} has {whole:,.0f}: more than "
            f"{TOLERANCE:.0%} away"
        )
    if without_size:
        parts["without a size"] = {"reached": without_size}
    return Sized(found, sizes, budget, target, whole, found.sizes(model.setting), parts)


class _Counts:
    """How many values a method has by its size; each is counted once."""

    def __init__(self, method: Method, model: _Model) -> None:
        self._method, self._model, self._setting = method, model, model.setting
        self._known: dict[int, float] = {}

    def method_of(self, number: int) -> Method:
        """The method of that size."""
        return self._method.of_size(number, self._setting)

    def of(self, number: int) -> float:
        """Values without the head, infinitely many where it cannot be so large; what forbids the least size raises."""
        if number not in self._known:
            try:
                self._known[number] = self._model.values(self.method_of(number))
            except UserError:
                if number == 1:
                    raise
                self._known[number] = math.inf
        return self._known[number]

    def told(self, below: int, above: int) -> str:
        """What the method can be around a target: values, and the settings that give them."""
        return " and ".join(self._told(number) for number in sorted({below, above}) if self.of(number) < math.inf)

    def _told(self, number: int) -> str:
        sizes = self.method_of(number).sizes(self._setting)
        return f"{self.of(number):,.0f} ({', '.join(f'{name}={value:g}' for name, value in sizes.items())})"


def _nearest(count: Callable[[int], float], target: float) -> tuple[int, int, int]:
    """The size whose count is nearest to the target, and the two around it."""
    below, above = _around(count, target)
    return min(below, above, key=lambda number: abs(count(number) - target)), below, above


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
