"""The training loop, spelled out: no Trainer class, no callbacks to hunt for.

Nothing in a step waits for the device: losses stay there and are fetched at logging intervals only, and what is needed
of a batch on the host (token counts, the weights of micro-batches) is read before it moves.
"""

import math
from collections.abc import Callable, Iterator, Sequence

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.utils.data import DataLoader

from bench.cell import Family, TrainingConfig
from bench.metering.time import StepClock
from bench.methods.base import Batch, Method
from bench.tasks.example import Example, Padding
from bench.training.batches import epoch_order, padded_count, target_count, token_count
from bench.training.losses import Losses

Progress = Callable[[int, int, float], None]  # step, steps in all, loss
AfterStep = Callable[[int], None]  # after which step


def batches_of(
    examples: Sequence[Example], padding: Padding, training: TrainingConfig, seed: int, *, pin: bool, done: int = 0
) -> Iterator[list[dict[str, Tensor]]]:
    """Endless optimizer steps' worth of data: each a list of micro-batches on the CPU; every epoch in a new order.

    Args:
        examples: tokenised.
        padding: makes tensors of them.
        training: sizes and grouping.
        seed: decides the order.
        pin: put the tensors where a GPU fetches them fast.
        done: steps to leave out at the beginning, without making their tensors.
    """
    generator = torch.Generator().manual_seed(seed)
    lengths = [len(example["input_ids"]) for example in examples]
    micro = training.micro_batch_size or training.batch_size
    while True:
        order = epoch_order(lengths, training.batch_size, training.length_grouped, generator)
        skipped = min(done, len(order))
        order, done = order[skipped:], done - skipped
        pieces = [step[start : start + micro] for step in order for start in range(0, len(step), micro)]
        # Opening a loader draws from torch's random state, once in an epoch; one that is resumed has drawn already.
        with torch.random.fork_rng(devices=[], enabled=skipped > 0):
            loader = iter(DataLoader(examples, batch_sampler=pieces, collate_fn=padding, pin_memory=pin))  # type: ignore[arg-type]
        for step in order:
            yield [next(loader) for _ in range(math.ceil(len(step) / micro))]


def gradients_of(model: nn.Module, steps: Iterator[list[Batch]], accelerator: Accelerator) -> Iterator[Tensor]:
    """For methods that look at the data beforehand: the gradient of each step's mean loss, until the next is asked for.

    Args:
        model: prepared by the accelerator; put into training mode.
        steps: lists of micro-batches, see `batches_of`.
        accelerator: the device and the backward pass.
    """
    model.train()
    for micro_batches in steps:
        yield backward(model, micro_batches, accelerator)
        model.zero_grad()


def backward(model: nn.Module, micro_batches: list[Batch], accelerator: Accelerator) -> Tensor:
    """Add the gradient of the mean loss over all targets of a step's micro-batches; returns that loss, detached."""
    targets = [target_count(batch) for batch in micro_batches]
    total = torch.zeros((), device=accelerator.device)
    for batch, count in zip(micro_batches, targets, strict=True):
        # The batch's loss is a mean over its targets; the step's is the mean over all targets of the step.
        loss = loss_of(model, to_device(batch, accelerator.device)) * (count / sum(targets))
        accelerator.backward(loss)
        total += loss.detach()
    return total


def train(
    model: nn.Module,
    method: Method,
    steps: Iterator[list[Batch]],
    *,
    optimiser: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    training: TrainingConfig,
    total_steps: int,
    family: Family,
    accelerator: Accelerator,
    clock: StepClock,
    losses: Losses,
    evaluate: AfterStep,
    progress: Progress,
    checkpoint: AfterStep,
    done: int = 0,
) -> None:
    """Train `model` up to optimizer step `total_steps`.

    Args:
        model: adapted and prepared by the accelerator.
        method: its hooks see the gradients and the end of each step.
        steps: lists of micro-batches, see `batches_of`, from the first step that is not done.
        optimiser: over the trained parameters, prepared by the accelerator.
        schedule: of its learning rates.
        training: clipping, logging and evaluation intervals.
        total_steps: optimizer steps.
        family: tells whether targets are tokens of their own.
        accelerator: the device, the backward pass and clipping.
        clock: times the steps, and nothing else; may have some of them watched.
        losses: takes the losses, and is read at each logging interval.
        evaluate: called with the step, `training.evaluations` times, evenly spread, the last after the last step.
        progress: called at logging intervals.
        checkpoint: called with every step, when all else is done for it.
        done: steps of an earlier attempt, whose end the arguments are at.

    Raises:
        TrainingDivergedError: the loss is not finite; found at the next logging interval.
    """
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    evaluation_steps = {round(total_steps * (i + 1) / training.evaluations) for i in range(training.evaluations)}
    model.train()
    for step in range(done + 1, total_steps + 1):
        micro_batches = next(steps)
        tokens = sum(token_count(batch, family == Family.encoder_decoder) for batch in micro_batches)
        padded = sum(padded_count(batch, family == Family.encoder_decoder) for batch in micro_batches)
        with clock.step(tokens, padded):
            losses.add(backward(model, micro_batches, accelerator))
            if training.max_grad_norm is not None:
                accelerator.clip_grad_norm_(trained, training.max_grad_norm)
            # After clipping: Child-Tuning's authors mask inside the optimizer, which is handed clipped gradients.
            method.on_gradients(model)
            optimiser.step()
            schedule.step()
            method.after_step(model, step)
            optimiser.zero_grad()
        if step % training.log_every == 0 or step == total_steps:
            progress(step, total_steps, losses.read())
        if step in evaluation_steps:
            evaluate(step)
            model.train()
        checkpoint(step)


def loss_of(model: nn.Module, batch: Batch) -> Tensor:
    """The model's own loss on a batch; the accelerator has put the forward pass under the configured precision."""
    loss = model(**batch).loss
    assert isinstance(loss, Tensor)
    return loss


def to_device(batch: Batch, device: torch.device) -> Batch:
    """Move a batch without waiting for the copy."""
    return {key: value.to(device, non_blocking=True) for key, value in batch.items()}
