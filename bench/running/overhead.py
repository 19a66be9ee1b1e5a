"""What a method costs after training: the adapted model's forward pass beside the bare model's and the merged one's."""

import statistics
import time

import torch
from torch import nn

from bench.configuration.schema import Family
from bench.metering.storages import StorageTracker
from bench.methods.base import Batch, Method
from bench.models.load import load_model
from bench.records.schema import InferenceCost
from bench.running.preparation import Prepared
from bench.running.run import Run
from bench.training.loop import to_device

WARM_UP, PASSES = 3, 10


def measure_overhead(run: Run, model: nn.Module, method: Method, prepared: Prepared) -> dict[str, InferenceCost]:
    """Time the forward pass of one batch and take its memory, for each form of the model.

    The bare model is loaded anew, as the cell's `model` configures it: unquantised where a method quantises. The
    trained model is used up: its weights are given back before.

    Args:
        run: the attempt.
        model: trained, on the device; of no use afterwards.
        method: the one that adapted it.
        prepared: its setting; the first training examples make the batch, as many as a micro-batch has.

    Returns:
        By form: "adapted", "merged" where the method can be folded into the base, "bare".
    """
    training = run.cell.training
    examples = prepared.data.train[: training.micro_batch_size or training.batch_size]
    batch = to_device(prepared.padding(list(examples)), run.device)
    if prepared.setting.family != Family.encoder_decoder:
        del batch["labels"]  # an encoder-decoder's labels are its decoder's inputs, all others do without
    costs = {"adapted": inference_cost(model, batch, run.device)}
    if method.mergeable:
        merged = run.accelerator.prepare_model(method.merge(model, prepared.setting))
        costs["merged"] = inference_cost(merged, batch, run.device)
        _give_back(merged)
    _give_back(model)
    bare = load_model(run.cell.base, prepared.architecture, run.cell.base.quantisation)
    costs["bare"] = inference_cost(run.accelerator.prepare_model(bare), batch, run.device)
    return costs


@torch.no_grad()
def inference_cost(model: nn.Module, batch: Batch, device: torch.device) -> InferenceCost:
    """Median seconds of a forward pass after warm-up, the bytes of the weights, and of all at the largest moment."""
    model.eval()
    tracker = StorageTracker(device)
    tracker.hold(model)
    weights = tracker.total
    seconds = []
    for index in range(WARM_UP + PASSES):
        if device.type == "cuda" and index == WARM_UP:
            torch.cuda.synchronize(device)
            torch.cuda.reset_peak_memory_stats(device)
            before = torch.cuda.memory_allocated(device)
        start = time.perf_counter()
        model(**batch)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        seconds.append(time.perf_counter() - start)
    if device.type == "cuda":
        working = torch.cuda.max_memory_allocated(device) - before
    else:
        with tracker:
            model(**batch)
        working = tracker.peak - weights
    return InferenceCost(statistics.median(seconds[WARM_UP:]), weights, weights + working)


def _give_back(model: nn.Module) -> None:
    """Free the weights of a model that others may still refer to."""
    for tensor in (*model.parameters(), *model.buffers()):
        tensor.data = tensor.data.new_empty(0)
