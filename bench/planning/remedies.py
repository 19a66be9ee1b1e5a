"""What would let a cell fit a device: changes of its settings, those that cost least exactness first."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bench.configuration.cell import Cell
from bench.errors import UserError
from bench.planning.predict import Prediction

MICRO_BATCH = "training.micro_batch_size"
ENOUGH = 3  # ways to choose from; each takes a prediction
SAME = "nothing but rounding"
# Each with what it costs in exactness: how far the cell becomes another one.
CHANGES: tuple[tuple[dict[str, Any], str], ...] = (
    ({"training.gradient_checkpointing": True}, "nothing; parts of the step are computed twice"),
    ({"training.precision": "bf16"}, "products are of bf16's 8 bits"),
    ({"model.dtype": "bfloat16", "training.precision": "bf16"}, "the frozen base is rounded to 8 bits, and products"),
    ({"model.quantisation": "nf4"}, "the frozen base is rounded to 4 bits"),
    ({"training.optimiser": "paged_adamw"}, "nothing; its state is paged to the host's memory, which takes time"),
    ({"training.optimiser": "paged_adamw_8bit"}, "the optimiser's moments are of 8 bits, and paged"),
    ({"model.attention": "sdpa"}, SAME),
    (
        {"model.dtype": "bfloat16", "training.precision": "bf16", "training.master_weights": False},
        "what is trained is kept in bf16: small updates are lost",
    ),
)


@dataclass(frozen=True)
class Remedy:
    """A change of settings with the peak predicted for it.

    Attributes:
        settings: by their keys on the command line.
        peak: bytes.
        fits: whether this is enough.
        costs: what it costs in exactness, in words.
    """

    settings: dict[str, Any]
    peak: int
    fits: bool
    costs: str


Tried = Callable[[dict[str, Any], str], Remedy | None]


def remedies(cell: Cell, foretell: Callable[[Cell], Prediction | str], limit: int) -> list[Remedy]:
    """What lets a cell fit: each change alone that does, or else more and more of them together.

    Args:
        cell: which does not fit.
        foretell: predicts one; a reason where it cannot.
        limit: bytes.

    Returns:
        The first three, in the order of `CHANGES`, a smaller micro-batch before all; where nothing is enough, what
        comes closest.
    """

    def tried(settings: dict[str, Any], costs: str) -> Remedy | None:
        try:
            found = foretell(changed(cell, settings))
        except UserError:  # it does not go with the cell's other settings
            return None
        return None if isinstance(found, str) else Remedy(settings, found.peak, found.peak <= limit, costs)

    single = [(settings, costs) for settings, costs in CHANGES if not _same(cell, settings)]
    last: dict[str, Any] = {MICRO_BATCH: 1}
    for settings, _ in single:
        last |= settings
    all_together = tried(last, "; ".join(costs for _, costs in single))
    if all_together is not None and not all_together.fits:  # then no part of it will
        return [all_together]
    micro, found = _largest_micro_batch(cell, tried), []
    for remedy in (micro, *(tried(*change) for change in single)):
        found += [remedy] if remedy is not None and remedy.fits else []
        if len(found) == ENOUGH:
            break
    if found:
        return found
    base = foretell(cell)
    best = None if isinstance(base, str) else base.peak
    together: dict[str, Any] = {}
    costs: list[str] = []
    closest: Remedy | None = None
    for settings, cost in ([(micro.settings, micro.costs)] if micro else []) + single:
        better = tried(together | settings, "; ".join(dict.fromkeys((*costs, cost))))
        if better is None or (best is not None and better.peak >= best):
            continue
        together, costs, best, closest = together | settings, [*costs, cost], better.peak, better
        if better.fits:
            break
    return [closest] if closest else []


def changed(cell: Cell, settings: dict[str, Any]) -> Cell:
    """The cell with other settings, keys as on the command line: `training.precision`.

    Raises:
        UserError: they do not go with its others.
    """
    config = json.loads(json.dumps(cell.config))
    for key, value in settings.items():
        part, _, name = key.partition(".")
        config[part][name] = value
    return Cell.from_config(config)


def _largest_micro_batch(cell: Cell, tried: Tried) -> Remedy | None:
    """The largest micro-batch that fits, or else a micro-batch of one; None where it is one already."""
    batch = cell.training.batch_size
    size = cell.training.micro_batch_size or batch
    if size == 1:
        return None
    smallest = tried({MICRO_BATCH: 1}, SAME)
    while smallest is not None and smallest.fits and size > 2:
        size = next(divisor for divisor in range(size // 2, 0, -1) if batch % divisor == 0)
        remedy = tried({MICRO_BATCH: size}, SAME)
        if remedy is not None and remedy.fits:
            return remedy
    return smallest


def _same(cell: Cell, settings: dict[str, Any]) -> bool:
    try:
        return changed(cell, settings).config_hash == cell.config_hash
    except UserError:
        return True
