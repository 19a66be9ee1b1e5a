"""What is searched for a method: its learning rate, and at most one knob that its YAML declares under `search`.

A knob that is a mapping, such as a mixture's number for each part, has a range for each of its keys.

Rates are searched on a logarithmic scale over three decades, the same for every task. A method that declares none has
the published space of this file.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from bench.configuration.cell import LABELS, Cell
from bench.configuration.ranges import POSITIVE, check_number
from bench.errors import UserError, unknown_name

RATE = "learning_rate"
RATE_KEY = f"training.{RATE}"
MIX = "mix"  # of a composition: a number from 0 to 1 for each part
DECADES = 3
EDGE = 1 / 8  # of the space, at each end: a best value there may be better still beyond
KEYS = ("low", "high", "log", "values")

# Three decades around the rates that the field uses with AdamW; configs/training has what each method's authors used.
WHOLE_MODEL = (1e-6, 1e-3)  # RoBERTa, arXiv:1907.11692, table 10: 1e-5, 2e-5, 3e-5; Stanford's Alpaca: 2e-5
# LoRA, arXiv:2106.09685, appendix D: 2e-4 to 5e-4; adapters, arXiv:1902.00751: 3e-5 to 3e-3; AdaLoRA's scripts: 5e-4 to
# 2.2e-3; BitFit's: 1e-3; QLoRA, arXiv:2305.14314, appendix B: 1e-4 and 2e-4; MAM's and ProPELT's scripts: 1e-4.
MODULES = (1e-5, 1e-2)
# Few values. The peft library's notebooks: 1e-3 (prompts and (IA)³), 1e-2 (prefixes); (IA)³, arXiv:2205.05638: 3e-3;
# prompts, arXiv:2104.08691: 0.3, with Adafactor.
VECTORS = (1e-4, 1e-1)
RATES: Mapping[str, tuple[float, float]] = {
    "full": WHOLE_MODEL,
    "child_tuning_d": WHOLE_MODEL,  # they update the model's own weights
    "child_tuning_f": WHOLE_MODEL,
    "ia3": VECTORS,
    "prompt_tuning": VECTORS,
    "prefix_tuning": VECTORS,
}


@dataclass(frozen=True)
class Dimension:
    """One setting that is searched.

    Attributes:
        key: as on the command line.
        low, high: its range; both 0 where `values` are listed.
        log: whether equal factors count alike, not equal steps.
        whole: whether only whole numbers may be.
        values: what may be, where that is a list; they are tried alike.
        whole_range: whether nothing lies beyond its ends, as of a mixture's numbers: no best value is at an edge.
    """

    key: str
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    whole: bool = False
    values: tuple[Any, ...] = ()
    whole_range: bool = False

    def place(self, value: float) -> float:
        """Where a value lies in the range, 0…1 on its scale."""
        low, high = (math.log(self.low), math.log(self.high)) if self.log else (self.low, self.high)
        return ((math.log(value) if self.log else value) - low) / (high - low)

    def edge(self, value: Any) -> str | None:
        """The end of the space that a best value lies at, "lower" or "upper"; of values without an order, none."""
        if self.whole_range:
            return None
        if self.values:
            if not all(_is_number(one) for one in self.values):
                return None
            return {min(self.values): "lower", max(self.values): "upper"}.get(value)
        place = self.place(value)
        return "lower" if place < EDGE else "upper" if place > 1 - EDGE else None

    def __str__(self) -> str:
        """`learning_rate 1e-05…0.01` or `r in 4, 8, 16`."""
        name = self.key.partition(".")[2]
        if self.values:
            return f"{name} in {', '.join(map(str, self.values))}"
        return f"{name} {self.low:g}…{self.high:g}{'' if self.log else ' evenly'}"


@dataclass(frozen=True)
class Space:
    """What is searched for a method; the learning rate comes first."""

    dimensions: tuple[Dimension, ...]

    def edges(self, parameters: Mapping[str, Any]) -> list[str]:
        """Which of the chosen values lie at an end of the space, in words."""
        found = [(one, one.edge(parameters[one.key])) for one in self.dimensions]
        return [
            f"{one.key}={parameters[one.key]} lies at the {edge} end of {one}: the space is too small"
            for one, edge in found
            if edge is not None
        ]

    @property
    def remark(self) -> str | None:
        """That the rates span other than three decades, in words; None where they do not."""
        rate = self.dimensions[0]
        decades = math.log10(rate.high / rate.low)
        if math.isclose(decades, DECADES, abs_tol=1e-6):
            return None
        return f"{rate} spans {decades:.2g} decades, not {DECADES}: it is not searched as widely as others"

    def __str__(self) -> str:
        """All dimensions, in words."""
        return "; ".join(map(str, self.dimensions))


def space_of(cell: Cell) -> Space:
    """The space of a cell's method: what its YAML declares, and the published rates for want of these.

    Raises:
        UserError: an empty range, a knob that the method has not, or more than one.
    """
    declared, method = cell.search, cell.config["method"]
    if declared is not None and not isinstance(declared, Mapping):
        raise UserError(f"method.search={declared} of '{cell.method}' must be a mapping of settings to ranges")
    declared = dict(declared or {})
    rate = _dimension(RATE_KEY, declared.pop(RATE, list(RATES.get(cell.method, MODULES))), cell.method)
    if len(declared) > 1:
        raise UserError(
            f"method.search of '{cell.method}' names {', '.join(declared)} beside the learning rate; one knob at most"
        )
    known = set(_settings(method))
    for name in declared:
        if name not in known:
            raise unknown_name(f"setting to search of method '{cell.method}':", name, known)
    return Space((rate, *(one for name, told in declared.items() for one in _knob(name, told, cell))))


def _knob(name: str, told: Any, cell: Cell) -> Iterator[Dimension]:
    """A knob's dimension; of one that is a mapping, a dimension for each key that has a range."""
    setting = cell.config["method"].get(name)
    if not isinstance(setting, Mapping) or not isinstance(told, Mapping) or not told or not set(told).isdisjoint(KEYS):
        yield _dimension(f"method.{name}", told, cell.method)
        return
    for key, each in told.items():
        if key not in setting:
            raise unknown_name(f"key of method.search.{name} of '{cell.method}':", str(key), setting)
        one = _dimension(f"method.{name}.{key}", each, cell.method)
        yield replace(one, whole_range=name == MIX and (one.low, one.high) == (0, 1))


def _dimension(key: str, told: Any, method: str) -> Dimension:
    where = f"method.search.{key.partition('.')[2]} of '{method}'"
    if isinstance(told, list):
        told = {"low": told[0], "high": told[1]} if len(told) == 2 else {"values": told}
        if "values" in told:
            raise UserError(f"{where} must be [low, high], or {{values: […]}}")
    if not isinstance(told, Mapping) or not told:
        raise UserError(f"{where}={told} must be [low, high], {{low: …, high: …, log: true}} or {{values: […]}}")
    for name in told:
        if name not in KEYS:
            raise unknown_name(f"key of {where}:", str(name), KEYS)
    return _listed(key, told["values"], where) if "values" in told else _range(key, told, where)


def _listed(key: str, values: Any, where: str) -> Dimension:
    if key == RATE_KEY:
        raise UserError(f"{where} is a range, [low, high]: no rate is tried twice")
    plain = isinstance(values, list) and all(isinstance(one, bool | int | float | str) for one in values)
    if not plain or len(set(values)) < max(2, len(values)):
        raise UserError(f"{where}: values={values} must be a list of two or more different numbers or words")
    return Dimension(key, values=tuple(values))


def _range(key: str, told: Mapping[str, Any], where: str) -> Dimension:
    low, high, log = told.get("low"), told.get("high"), told.get("log", key == RATE_KEY)
    if not _is_number(low) or not _is_number(high) or not isinstance(log, bool):
        raise UserError(f"{where}: low={low} and high={high} must be numbers, log={log} true or false")
    assert isinstance(low, int | float)
    assert isinstance(high, int | float)
    if low >= high:
        raise UserError(f"{where}: low={low} must be below high={high}")
    if key == RATE_KEY or log:
        check_number(f"{where}: low", low, POSITIVE)
    if key == RATE_KEY and not log:
        raise UserError(f"{where} is searched on a logarithmic scale; leave log out")
    whole = key != RATE_KEY and isinstance(low, int) and isinstance(high, int)
    return Dimension(key, *((low, high) if whole else (float(low), float(high))), log, whole)


def _settings(method: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """The names of a method's settings, those of its parts with theirs before them: `parts.adapter.bottleneck`."""
    for name, value in method.items():
        if name not in LABELS and name not in ("name", "_target_"):
            yield f"{prefix}{name}"
            if isinstance(value, Mapping) and (name == "parts" or prefix):
                yield from _settings(value, f"{prefix}{name}.")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
