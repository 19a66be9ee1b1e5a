"""How long a cell will take: from what it does, and from what cells like it took.

A rough measure, for the order of a sweep's cells and its remaining time; nothing else rests on it.
"""

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any, TypeAlias

from bench.configuration.cell import Cell

Likenesses: TypeAlias = tuple[tuple[str, ...], ...]

UNKNOWN_SIZE = 1e8  # parameters of a model that says nothing about its size
UNKNOWN_ROWS = 5000  # training examples of a task that is not a published one
# Multiplications per parameter and token: forward and backward, with and without the weights' own gradients.
FULL, FROZEN = 6, 4
WHOLE = ("model", "task", "method")  # the most that cells have in common


@dataclass
class Costs:
    """Predicts seconds; learns from every cell that is finished."""

    _rates: dict[tuple[str, ...], list[float]] = field(default_factory=dict)  # seconds per unit of work

    def observe(self, cell: Cell, seconds: float) -> None:
        """Take note of what a cell took."""
        self.learn(likenesses(cell.model, cell.task, cell.method), work(cell), seconds)

    def learn(self, known_by: Likenesses, amount: float, seconds: float) -> None:
        """Take note of what an amount of work took, of which no more is known than what it is like."""
        for likeness in known_by:
            self._rates.setdefault(likeness, []).append(seconds / amount)

    @property
    def rates(self) -> dict[tuple[str, ...], float]:
        """Seconds per unit of work, by model, task and method."""
        return {likeness: fmean(rates) for likeness, rates in self._rates.items() if len(likeness) == len(WHOLE)}

    def knows(self, cell: Cell) -> bool:
        """Whether cells of its model and task have been observed, of its own method or of others."""
        return any(likeness in self._rates for likeness in _likenesses(cell)[:2])

    def seconds(self, cell: Cell) -> float | None:
        """What a cell will take, judged by those most like it; None while nothing is known."""
        return self.seconds_for(_likenesses(cell), work(cell))

    def seconds_for(self, known_by: Likenesses, amount: float) -> float | None:
        """What an amount of work will take, judged by what is most like it; None while nothing is known."""
        for likeness in known_by:
            if likeness in self._rates:
                return amount * fmean(self._rates[likeness])
        return None

    def longest_first(self, cells: Iterable[Cell]) -> list[Cell]:
        """In the order in which to run them, so that no long one is left at the end."""
        return sorted(cells, key=lambda cell: -(self.seconds(cell) or work(cell)))


class Remaining:
    """The cells of a sweep that are not finished, and how long they will take."""

    def __init__(self, costs: Costs) -> None:
        self._costs = costs
        self._cells: dict[str, Cell] = {}
        self._work: defaultdict[Likenesses, float] = defaultdict(
            float
        )  # summed up for equal cells: there may be thousands

    def add(self, cell: Cell) -> None:
        """Count a cell in."""
        self._cells[cell.id] = cell
        self._work[_likenesses(cell)] += work(cell)

    def remove(self, cell_id: str, seconds: float | None) -> None:
        """Count a cell out; None: it took no time that could be learned from."""
        cell = self._cells.pop(cell_id, None)
        if cell is not None:
            self._work[_likenesses(cell)] -= work(cell)
            if seconds:
                self._costs.observe(cell, seconds)

    def seconds(self) -> float | None:
        """Seconds of all cells one after the other; None: cannot be judged yet."""
        if not self._cells:
            return None
        parts = [self._costs.seconds_for(known_by, amount) for known_by, amount in self._work.items()]
        return None if None in parts else sum(part or 0.0 for part in parts)


def work(cell: Cell) -> float:
    """Multiplications of a cell's training, about."""
    factor = FULL if cell.config["method"].get("category") == "full" else FROZEN
    return factor * _size(cell.config["model"]) * tokens(cell)


def tokens(cell: Cell) -> float:
    """Tokens of a cell's training, about, and at most: as if every text were of full length."""
    training = cell.training
    rows = _rows(cell.config["task"])
    rows = min(rows, cell.data.limit_train or rows)
    found = rows * training.epochs * training.max_length
    if training.max_steps is not None:
        found = min(found, training.max_steps * training.batch_size * training.max_length)
    return found


def _likenesses(cell: Cell) -> Likenesses:
    """What a cell has in common with others, the most telling first."""
    return likenesses(cell.model, cell.task, cell.method)


def likenesses(model: str, task: str, method: str) -> Likenesses:
    """What a cell of these has in common with others, the most telling first."""
    return (model, task, method), (model, task), (model,), ()


def _rows(task: dict[str, Any]) -> float:
    """Training examples. The miniature's data are as many for every task, about."""
    if task.get("miniature"):
        return UNKNOWN_ROWS
    declared = task.get("data")
    if isinstance(declared, dict):
        rows = declared.get("rows")
        return float(rows.get("train", UNKNOWN_ROWS)) if isinstance(rows, dict) else UNKNOWN_ROWS
    from bench.data.published import ALPACA  # draws in pyarrow, which a finished sweep does not need

    return ALPACA.rows["train"] if task.get("name") == "mmlu" else UNKNOWN_ROWS


def _size(model: dict[str, Any]) -> float:
    """Parameters of the usual transformer: attention, feed-forward and embeddings."""
    shape = model.get("architecture") or _read_shape(model.get("path"))
    width = shape.get("hidden_size") or shape.get("d_model")
    layers = shape.get("num_hidden_layers") or shape.get("num_layers")
    if not width or not layers:
        return UNKNOWN_SIZE
    layers += shape.get("num_decoder_layers", layers) if "d_model" in shape else 0
    inner = shape.get("intermediate_size") or shape.get("d_ff") or 4 * width
    return float(layers * (4 * width * width + 2 * width * inner) + shape.get("vocab_size", 0) * width)


def _read_shape(path: str | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        shape = json.loads((Path(path) / "config.json").read_bytes())
    except (OSError, ValueError):
        return {}  # whoever loads the model says what is wrong with it
    return shape if isinstance(shape, dict) else {}
