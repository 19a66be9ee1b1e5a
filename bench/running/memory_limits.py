"""When memory does not suffice: telling it from other failures, and what a cell may do about it."""

import gc
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from bench.configuration.cell import Cell
from bench.configuration.schema import TrainingConfig
from bench.records.schema import Record, Status

# torch's allocator for CPUs on Linux and on Windows, a file that cannot be mapped for want of memory, and CUDA outside
# of torch's allocator (its runtime, its driver, its libraries' workspaces), raise RuntimeErrors.
MESSAGES = (
    "can't allocate memory", "not enough memory: you tried to allocate", ": Cannot allocate memory (12)",
    "CUDA error: out of memory",
    "CUDA driver error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED",
    "CUSOLVER_STATUS_ALLOC_FAILED",
)  # fmt: skip


def is_out_of_memory(error: BaseException) -> bool:
    """Whether `error` says that memory did not suffice, on a GPU or on the host."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(message in str(error) for message in MESSAGES)


def shrunk_training(cell: Cell, shrunk: list[dict[str, int]]) -> TrainingConfig:
    """How the cell is trained after its micro-batches have been made smaller; see `shrink`."""
    return replace(cell.training, micro_batch_size=shrunk[-1]["micro_batch_size"]) if shrunk else cell.training


def shrink(record: Record) -> list[dict[str, int]] | None:
    """Decide whether an attempt is to be made again with smaller micro-batches, and with which.

    The batch of an optimizer step stays what it is. The next size is the largest divisor of the batch size that is half
    of the present one or less.

    Args:
        record: of the attempt.

    Returns:
        All sizes so far, each {"micro_batch_size", "accumulation"}, and the next; None: the record stands.
    """
    training = TrainingConfig(**record.cell.config["training"])
    if record.status != Status.out_of_memory or record.cell.config["on_oom"] != "shrink":
        return None
    if record.error is None or record.error.phase != "train":
        return None  # smaller micro-batches help neither loading nor evaluating
    shrunk: list[dict[str, Any]] = record.environment.get("shrunk", [])
    present = shrunk[-1]["micro_batch_size"] if shrunk else training.micro_batch_size or training.batch_size
    if present == 1:
        return None
    size = next(size for size in range(present // 2, 0, -1) if training.batch_size % size == 0)
    return [*shrunk, {"micro_batch_size": size, "accumulation": training.batch_size // size}]


def release_memory() -> None:
    """Give back what a failed attempt held."""
    gc.collect()
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()


def give_back(model: nn.Module) -> None:
    """Free the weights of a model that others may still refer to."""
    for tensor in (*model.parameters(), *model.buffers()):
        tensor.data = tensor.data.new_empty(0)
