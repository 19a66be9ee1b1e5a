"""A method tried on the three small models of the package, before anything is trained with it: does it keep its word?

On each family: the base at the start where it says so, a gradient for all that is counted as trained, the same outputs
from what is stored, the same when merged; what it refuses, in its own words. On random tokens and in seconds.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice

import torch
from accelerate.utils import set_seed
from torch import Tensor, nn

from bench.configuration.cell import Cell
from bench.configuration.compose import build
from bench.errors import UnsupportedError, UserError
from bench.metering.phases import PhaseMeter
from bench.metering.time import StepClock
from bench.methods.base import Batch, Method
from bench.methods.promises import CLOSE, Reached, broken_merge, broken_start, differ
from bench.models.head import head_parameters
from bench.models.load import load_model
from bench.records.schema import Parameters
from bench.running.preparation import Prepared, load_adapted, prepare
from bench.tasks.build import task_of
from bench.training.loop import batches_of, gradients_of, train
from bench.training.losses import Losses
from bench.training.optimiser import make_optimiser, make_schedule

CPU = torch.device("cpu")
STEPS = 6
# A small model of each family and a task of its; random tokens do.
CELLS = {
    "encoder": ("miniature/roberta", "miniature/sst2"),
    "encoder_decoder": ("miniature/t5", "miniature/wmt16"),
    "decoder": ("miniature/llama", "miniature/mmlu"),
}
SETTINGS = (
    "data.synthetic=true", "data.limit_train=32", "training.max_length=32", "training.batch_size=8",
    "training.micro_batch_size=8", f"training.max_steps={STEPS}", "training.log_every=1", "training.learning_rate=1e-3",
    "device=cpu", "experiment=runs",
)  # fmt: skip


@dataclass
class MethodReport:
    """What a method does on one family.

    Attributes:
        family: of the model.
        model: its name.
        refused: why the method is not to be had there; None: it is.
        parameters: counted, as a record has them.
        losses: of the first steps, on the same few texts.
        kept: promises that were found kept.
        broken: those that were not, and how.
    """

    family: str
    model: str
    refused: str | None = None
    parameters: Parameters | None = None
    losses: list[float] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    def note(self, promise: str, broken: str | None) -> None:
        """Take note of a promise that was looked at."""
        if broken is None:
            self.kept.append(promise)
        else:
            self.broken.append(broken)


def look_at_method(cell: Cell, family: str) -> MethodReport:
    """Try the method of a cell that was composed of `CELLS` and `SETTINGS`.

    Raises:
        UserError: settings that the method does not have or take.
    """
    report, method = MethodReport(family, cell.model), build(cell.config["method"], Method)
    try:
        prepared = prepare(cell, task_of(cell), method, PhaseMeter(CPU), CPU)
        _try(report, cell, prepared.resized(method), prepared)
    except (UnsupportedError, UserError) as error:
        report.refused = str(error)
    except Exception as error:  # a method of the user's own may fail in any way; the other families are looked at
        report.broken.append(f"{type(error).__name__}: {error}")
    return report


def _try(report: MethodReport, cell: Cell, method: Method, prepared: Prepared) -> None:
    batch = prepared.padding(list(islice(iter(prepared.data.train), 8)))

    def outputs(model: nn.Module) -> Tensor:
        return _outputs(model, batch)

    set_seed(cell.seed)
    base = load_model(prepared.base, prepared.architecture, prepared.setting.quantisation, CPU, prepared.setting.dtype)
    before = outputs(base)
    model, report.parameters = load_adapted(cell, method, prepared)
    said = (
        "the base at the start" if method.identity_at_start else f"not the base at the start: {method.why_not_identity}"
    )
    report.note(said, broken_start(method, outputs(model), before))
    reached = Reached(model)
    _train(report, cell, method, prepared, model)
    report.note("a gradient for all that is trained", reached.broken(method))
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad) - method.held_count(model)
    counted = report.parameters.trainable
    report.note("counts what it trains", None if trained == counted else f"it counts {counted}, and trains {trained}")
    after = outputs(model)
    report.note("training changes it", None if differ(after, before) > 0 else "training changes nothing")
    other = prepared.resized(build(cell.config["method"], Method))
    fresh, _ = load_adapted(cell, other, prepared)
    other.load_stored_state(fresh, method.stored_state(model))
    found = differ(outputs(fresh), after)
    stored = f"what is stored gives other outputs: they differ by {found:.2g}" if found >= CLOSE else None
    report.note("what is stored gives the same outputs", stored)
    if method.mergeable:
        report.note("merged it computes the same", broken_merge(method, model, prepared.setting, outputs, after))


def _train(report: MethodReport, cell: Cell, method: Method, prepared: Prepared, model: nn.Module) -> None:
    training, setting, arithmetic = cell.training, prepared.setting, prepared.arithmetic
    wrapped = arithmetic.wrap(model)

    def steps() -> "Sequence[list[Batch]]":
        made = batches_of(prepared.data.train, prepared.batching, training, cell.seed, pin=False)
        return list(islice(made, STEPS))

    method.prepare(wrapped, lambda: gradients_of(wrapped, iter(steps()), arithmetic))
    head = {name for name, _ in head_parameters(model, setting.structure)}
    optimiser = make_optimiser(model, method, head, training)
    train(
        wrapped, method, iter(steps()), optimiser=optimiser,
        schedule=make_schedule(optimiser, training, setting.total_steps), training=training, total_steps=STEPS,
        family=setting.family, arithmetic=arithmetic, clock=StepClock(CPU), losses=Losses(),
        evaluate=lambda _: None, progress=lambda step, total, loss: report.losses.append(loss),
        checkpoint=lambda _: None,
    )  # fmt: skip


@torch.inference_mode()
def _outputs(model: nn.Module, batch: Batch) -> Tensor:
    """Logits in evaluation mode; those of a prompt's own tokens are cut off."""
    model.eval()
    logits: Tensor = model(**batch).logits
    length = batch["input_ids"].shape[1]
    labels = batch["labels"]
    is_text = labels.shape == batch["input_ids"].shape and logits.ndim == 3
    return logits[:, -length:] if is_text and logits.shape[1] >= length else logits
