"""The peak of training memory, foretold: the training loop itself runs a step on fake tensors."""

from dataclasses import dataclass
from functools import partial

import torch

import bench.system.quiet  # noqa: F401  # before the libraries that it silences
from bench.configuration.cell import Cell
from bench.configuration.schema import AttentionKind
from bench.errors import UnsupportedError
from bench.metering.account import Account
from bench.planning.adapted import Adapted, adapt_cell
from bench.planning.asked import Trace
from bench.planning.depths import Depths, Whole, largest_moment
from bench.planning.follow import Follower
from bench.planning.line import Traced
from bench.planning.places import Place, Places
from bench.records.schema import MemorySplit, Parameters

# cuBLAS works in memory of the allocator: once for the thread of the forward pass, once for that of the backward pass.
# Sizes: getChosenWorkspaceSize in aten/src/ATen/cuda/CublasHandlePool.cpp.
WORKSPACE, WORKSPACE_HOPPER, HOPPER = 8_519_680, 33_554_432, (9, 0)


@dataclass(frozen=True)
class Prediction:
    """What a cell's training will need.

    Attributes:
        parameters: counts.
        peak: bytes at the largest moment of training.
        parts: what they hold.
        flops: of one optimizer step, floating-point operations of matrix products and attention, as PyTorch's flop
            counter counts them; a checkpointed block's second forward pass included.
        attention: what the cell would compute with on that device; see `bench.models.attention`.
        padding_free: whether its batches would be; see `bench.training.padding_free`.
    """

    parameters: Parameters
    peak: int
    parts: MemorySplit
    flops: int
    attention: AttentionKind = AttentionKind.sdpa
    padding_free: bool = False


def predict(cell: Cell, device: str, trace: Trace = Trace.blocks) -> Prediction:
    """Run the training of `cell` on fake tensors, with the largest batch that its settings allow.

    The step is one that finds the optimizer's state there, and gradients of a first micro-batch.

    Args:
        cell: what would be run; neither its weights nor its data are read, only its model's configuration.
        device: "cuda" or "cpu": whose kernels to reckon with.
        trace: whether blocks that are alike are followed once, or each.

    Raises:
        UserError: model, task and method do not fit together, or the task makes no synthetic batches.
        UnsupportedError: nothing is trained.
    """
    whole, follower = adapt_cell(cell, device), Follower(cell, device)
    if not whole.method.trains_anything:
        raise UnsupportedError(f"{whole.method.title}: nothing is trained, and a training's memory is what is foretold")
    parts_and_flops = _from_shallow(follower, whole) if trace == Trace.blocks else None
    if parts_and_flops is None:
        account, flops = follower.follow(partial(adapt_cell, cell, device, size=whole.size), Account, first=whole)
        parts_and_flops = account.peak.parts, flops
    parts, flops = parts_and_flops
    workspace = 2 * _workspace() if device == "cuda" else 0
    split = MemorySplit(**parts | {"rest": parts["rest"] + workspace})
    peak = sum(vars(split).values())
    return Prediction(whole.parameters, peak, split, flops, whole.attention, whole.padding_free)


def _from_shallow(follower: Follower, whole: Adapted) -> tuple[dict[str, int], int] | None:
    """What lives at the peak, and the operations of a step, from models of few blocks; None where these do not tell."""
    names = [name for name, _ in whole.stacks]

    def trace(depths: Depths) -> Traced:
        adapt = partial(adapt_cell, follower.cell, follower.device, dict(zip(names, depths, strict=True)), whole.size)
        shallow = adapt()
        held, blocks = shallow.held(follower.device), shallow.blocks()
        shapes = {name: tuple(parameter.shape) for name, parameter in shallow.model.named_parameters()}
        places, flops = follower.follow(adapt, Places, first=shallow)
        totals = {place: [moment.total for moment in moments] for place, moments in places.moments.items()}

        def parts(place: Place, at: int) -> dict[str, int]:
            return places.parts_at(places.moments[place][at])

        return Traced(held, shapes, totals, parts, flops, blocks)

    return largest_moment(Whole(whole.held(follower.device), whole.blocks()), trace)


def _workspace() -> int:
    """Of the GPU that is there; without one, of an Ampere such as the survey's A800."""
    hopper = torch.cuda.is_available() and torch.cuda.get_device_capability() >= HOPPER
    return WORKSPACE_HOPPER if hopper else WORKSPACE


def device_of(cell: Cell) -> str:
    """Whose memory a plan is about: a GPU's, unless the cell is told to run on the CPU."""
    return "cpu" if cell.config["device"] == "cpu" else "cuda"
