"""A budget for what a method keeps: `0.5%` of the base's parameters, `300k` of them, or `stored:1MB`.

Counted are the values of its stored state, a packed bit as 1/32: networks and mask scores that only training needs are
none of it. Nor is the task head, which every method trains alike, and which on a small base is more than some budgets.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from bench.errors import UserError

TOLERANCE = 0.1  # of the budget: how far what is reached may lie from it
FACTORS = {"": 1, "k": 1_000, "K": 1_000, "M": 1_000_000, "G": 1_000_000_000}
Size = int | dict[str, int]  # of a method, see `Method.of_size`; or of each of its parts, by name
BYTES = 4  # of a value that is kept


class Unit(StrEnum):
    """What a budget is said in."""

    share = "% of the base"
    parameters = "parameters"
    stored = "bytes"


_NUMBER = r"(\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)"
PATTERNS = {
    Unit.share: re.compile(rf"{_NUMBER} ?()%"),
    Unit.parameters: re.compile(rf"{_NUMBER} ?([kKMG]?)"),
    Unit.stored: re.compile(rf"stored: ?{_NUMBER} ?([kKMG]?)B"),
}


@dataclass(frozen=True)
class Budget:
    """So much of a unit."""

    text: str
    amount: float
    unit: Unit

    @classmethod
    def of(cls, given: str | int | float) -> "Budget":
        """Read what stands behind `method.budget=`.

        Raises:
            UserError: it is none.
        """
        text = str(given).strip()
        for unit, pattern in PATTERNS.items():
            found = None if isinstance(given, bool) else pattern.fullmatch(text)
            if found is not None and (amount := float(found[1]) * FACTORS[found[2]]) > 0:
                return cls(text, amount, unit)
        raise UserError(f"method.budget={given} is no budget; say 0.5% (of the base), 300k (parameters) or stored:1MB")

    def values(self, base_total: int) -> float:
        """How many values that is.

        Args:
            base_total: values of the bare base.
        """
        if self.unit == Unit.share:
            return self.amount / 100 * base_total
        return self.amount / BYTES if self.unit == Unit.stored else self.amount
