"""What a method costs after training: the adapted model's forward pass beside the bare model's and the merged one's."""

import statistics
import time
from collections.abc import Callable

import torch
from torch import nn

from bench.configuration.schema import Family
from bench.errors import UserError
from bench.metering.phases import PhaseMeter
from bench.metering.storages import StorageTracker
from bench.methods.base import Batch, Method
from bench.records.schema import InferenceCost
from bench.running.memory_limits import give_back, is_out_of_memory, release_memory
from bench.running.preparation import Prepared, load_bare
from bench.running.run import Run
from bench.training.loop import to_device

WARM_UP, PASSES = 3, 10


def measure_overhead(run: Run, model: nn.Module, method: Method, prepared: Prepared) -> dict[str, InferenceCost]:
    """Time the forward pass of one batch and take its memory, for each form of the model.

    The bare model is loaded anew, as the cell's `model` configures it, with the adapted one's attention: unquantised
    where a method quantises. The trained model is used up: its weights are given back before.

    Args:
        run: the attempt.
        model: trained, on the device; of no use afterwards.
        method: the one that adapted it.
        prepared: its setting; the first training examples make the batch, as many as a micro-batch has.

    Returns:
        By form: "adapted", "merged" where the method can be folded into the base, "bare"; without those that memory did
        not suffice for, and without a merged one where this model does not take it. The record's warnings name these:
        a trained cell is none that failed.
    """
    training = run.cell.training
    examples = prepared.data.train[: training.micro_batch_size or training.batch_size]
    batch = to_device(prepared.padding(list(examples)), run.device)
    if prepared.setting.family != Family.encoder_decoder or prepared.setting.structure.head:
        del batch["labels"]  # of an encoder-decoder that writes they are its decoder's inputs, all others do without

    def prepare(form: nn.Module) -> nn.Module:
        return prepared.arithmetic.wrap(form.to(run.device))

    forms: dict[str, Callable[[], nn.Module]] = {"adapted": lambda: model}
    if method.mergeable:
        forms["merged"] = lambda: prepare(method.merge(model, prepared.setting))
    forms["bare"] = lambda: load_bare(prepared, run.device)
    costs = {}
    for form, make in forms.items():
        if form == "bare":
            give_back(model)
        try:
            costs[form] = _cost_of(make(), batch, run, used_up=form != "adapted")
        except Exception as error:
            if form == "merged" and isinstance(error, UserError):  # what can be merged may depend on the model
                run.warn(str(error))
                continue
            if not is_out_of_memory(error):
                raise
            run.warn(f"memory did not suffice to measure the inference of the {form} model")
        release_memory()  # not before the error is gone, which holds what it met
    return costs


def _cost_of(model: nn.Module, batch: Batch, run: Run, *, used_up: bool) -> InferenceCost:
    try:
        return inference_cost(model, batch, run.device, run.meter)
    finally:
        if used_up:
            give_back(model)


@torch.no_grad()
def inference_cost(model: nn.Module, batch: Batch, device: torch.device, meter: PhaseMeter) -> InferenceCost:
    """Median seconds of a forward pass after warm-up, bytes of weights and of all at the largest moment, operations.

    Args:
        model: on the device, in the cell's precision.
        batch: its inputs.
        device: where both are.
        meter: keeps the peak of the phase, which is reset here.
    """
    model.eval()
    tracker = StorageTracker(device)
    tracker.hold(model)
    weights = tracker.total
    seconds = []
    for index in range(WARM_UP + PASSES):
        if device.type == "cuda" and index == WARM_UP:
            meter.book()
            before = torch.cuda.memory_allocated(device)
        start = time.perf_counter()
        model(**batch)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        seconds.append(time.perf_counter() - start)
    if device.type == "cuda":
        working = torch.cuda.max_memory_allocated(device) - before
    with tracker:
        model(**batch)
    if device.type != "cuda":
        working = tracker.peak - weights
    operations = tracker.flops / len(batch["input_ids"])
    return InferenceCost(statistics.median(seconds[WARM_UP:]), weights, weights + working, operations)
