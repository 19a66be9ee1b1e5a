"""The plan of several cells: what each needs, whether it fits a device, and what would help where it does not."""

import gc
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from bench.configuration.cell import Cell
from bench.configuration.schema import AttentionKind, Quantisation
from bench.errors import UserError
from bench.planning.asked import Trace
from bench.planning.pool import Other, Predictions
from bench.planning.predict import Prediction, device_of, predict
from bench.planning.remedies import Remedy, remedies
from bench.system.collecting import without_collecting
from bench.tasks.build import task_of
from bench.training.padding_free import left_to_settle

# Of a training's settings, those that its memory depends on.
SHAPE = ("batch_size", "micro_batch_size", "max_length", "precision", "master_weights", "gradient_checkpointing",
         "max_grad_norm", "weight_decay", "weight_decays", "optimiser")  # fmt: skip
# Of a GPU's memory the allocator cannot give out all. CUDA's own context, with the code of the kernels that are loaded:
# from 0.3 to 0.6 GB, by the kind of GPU. And of what the allocator has taken, some lies unused between blocks. Both are
# assumptions, on the careful side; on a GPU, a record's `reserved` and its `free_at_start` tell.
CONTEXT, UNUSED = 600_000_000, 0.02


@dataclass(frozen=True)
class PlannedCell:
    """One cell of a plan.

    Attributes:
        cell: which one.
        prediction: None where there is none.
        reason: why there is none.
        fits: whether it fits the device memory that was asked about; None where none was.
        help: where it does not fit, what would help, cheapest first; if nothing fits, what comes closest.
    """

    cell: Cell
    prediction: Prediction | None
    reason: str | None = None
    fits: bool | None = None
    help: list[Remedy] = field(default_factory=list)

    @property
    def note(self) -> str | None:
        """What the prediction is, where it is not what one may take it for."""
        return None if self.prediction is None else "; ".join(_notes(self.cell, self.prediction)) or None

    def to_dict(self) -> dict[str, Any]:
        """For JSON; the layout of the parameters and the parts is the record's."""
        known = self.prediction
        out: dict[str, Any] = {name: getattr(self.cell, name) for name in ("id", "model", "task", "method", "seed")}
        out["parameters"] = vars(known.parameters) if known else None
        out["memory"] = {"train_peak": known.peak, "parts": vars(known.parts)} if known else None
        out["flops_per_step"] = known.flops if known else None
        out["attention"] = str(known.attention) if known else None
        out["padding_free"] = known.padding_free if known else None
        if self.reason is not None:
            out["reason"] = self.reason
        if self.note is not None:
            out["note"] = self.note
        if self.fits is not None:
            out["fits"], out["help"] = self.fits, [vars(remedy) for remedy in self.help]
        return out


def plan(
    cells: Iterable[Cell],
    device_memory: int | None = None,
    predicting: Callable[[Cell], None] = lambda _: None,
    *,
    trace: Trace = Trace.blocks,
    others: Sequence[Other] = (),
) -> Iterator[PlannedCell]:
    """Plan cells one by one; of cells with the same model, method and shape the first is predicted.

    Args:
        cells: what would be run.
        device_memory: bytes of the device to fit, all of it; see `usable`.
        predicting: called before each prediction, which takes seconds, with its cell; not always from the same thread.
        trace: what a prediction follows; see `predict`.
        others: processes beside this one that predict too.
    """
    keyed = [(_shape(cell), cell) for cell in cells]
    first: dict[str, Cell] = {}
    for key, cell in keyed:
        first.setdefault(key, cell)
    with Predictions(first, partial(_predicted, trace=trace), others, predicting) as known:

        def foretell(cell: Cell) -> Prediction | str:
            return known.of(_shape(cell), cell)

        for _, cell in keyed:
            yield _planned(cell, foretell, device_memory)


def _planned(cell: Cell, foretell: Callable[[Cell], Prediction | str], device_memory: int | None) -> PlannedCell:
    found = foretell(cell)
    limit = None if device_memory is None else usable(device_memory, device_of(cell))
    if isinstance(found, str):
        return PlannedCell(cell, None, found)
    if limit is None or found.peak <= limit:
        return PlannedCell(cell, found, fits=None if limit is None else True)
    return PlannedCell(cell, found, fits=False, help=remedies(cell, foretell, limit))


def usable(device_memory: int, device: str) -> int:
    """Of a device's bytes, those that tensors can have: of a GPU's, not its context and what lies unused in between."""
    return max(0, int((device_memory - CONTEXT) / (1 + UNUSED))) if device == "cuda" else device_memory


def to_json(planned: Iterable[PlannedCell]) -> str:
    """The plan as `{"cells": […]}`; bytes and counts are plain numbers."""
    return json.dumps({"cells": [cell.to_dict() for cell in planned]}, indent=1, ensure_ascii=False)


def _notes(cell: Cell, prediction: Prediction) -> Iterator[str]:
    way, processes = cell.config["distributed"], cell.config["processes"]
    if processes > 1:
        yield (
            f"distributed={way} processes={processes}: predicted is the cell on one device with the whole batch; "
            "how several processes share its memory is not predicted"
        )
    if cell.training.compile:
        yield "training.compile=true: predicted is the uncompiled cell; what compiled blocks keep is not known"
    asked, taken = cell.base.attention, prediction.attention
    if asked == AttentionKind.auto:
        yield f"model.attention=auto: predicted with {taken}, what the device would take with this installation"
    if taken in (AttentionKind.flash_attention_2, AttentionKind.flex):
        yield f"{taken} is predicted as torch's own fused attention, which keeps the same for a batch without padding"
    if prediction.padding_free and taken == AttentionKind.flash_attention_2:
        yield "padding-free batches are predicted as texts of full length, each in a row: as many tokens, and no mask"
    if cell.base.quantisation == Quantisation.int8 and cell.base.int8_threshold > 0:
        yield (
            "model.quantisation=int8: predicted is a pass without outliers; columns of inputs that reach "
            "model.int8_threshold take more, and how many do depends on the weights"
        )


def _predicted(cell: Cell, trace: Trace = Trace.blocks) -> Prediction | str:
    try:
        with without_collecting():  # fake tensors hold no memory; what is left of them is young, and looked for below
            return predict(cell, device_of(cell), trace)
    except UserError as error:
        return str(error)
    except (RuntimeError, TypeError, AssertionError, NotImplementedError) as error:
        # A method of the user's own may do what fake tensors cannot; the other cells of the plan have no part in it.
        return f"cannot be predicted: {type(error).__name__}: {next(iter(str(error).splitlines()), '')}"
    finally:
        gc.collect(1)


def _shape(cell: Cell) -> str:
    """Equal for cells whose prediction is the same."""
    task = task_of(cell)
    training = {key: cell.config["training"][key] for key in SHAPE}
    names = {"model": ("title",), "method": ("title", "paper", "category")}
    parts = {part: {k: v for k, v in cell.config[part].items() if k not in drop} for part, drop in names.items()}
    rows = left_to_settle(cell.training, cell.base.attention)
    return json.dumps([parts, task.form, str(task.head()), training, rows, cell.config["device"]], sort_keys=True)
