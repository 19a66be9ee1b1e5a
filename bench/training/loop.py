"""The training loop, spelled out: no Trainer class, no callbacks to hunt for.

Nothing in a step waits for the device: losses stay there and are fetched at logging intervals only, and what is needed
of a batch on the host (token counts, padding, the weights of micro-batches) is read before it moves. Two libraries do
wait: peft for AdaLoRA's threshold, where ranks are reallotted, and bitsandbytes' paged AdamW after each parameter.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader

from bench.configuration.schema import Family, TrainingConfig
from bench.data.example import Batching, Example
from bench.distributed.team import ALONE, Team
from bench.errors import UnsupportedError
from bench.metering.time import StepClock
from bench.methods.base import Batch, Method
from bench.methods.trainable import trainable_parameters
from bench.models.padding_mask import padding_of
from bench.training.arithmetic import Arithmetic
from bench.training.batches import Filler, epochs_of, micro_batches_of, padded_count, target_count, token_count
from bench.training.losses import Losses

Progress = Callable[[int, int, float], None]  # step, steps in all, loss
AfterStep = Callable[[int], None]  # after which step

FIRST = 2  # steps in which every trained tensor gets a gradient; LoRA's A waits for B to leave zero


def batches_of(
    examples: Sequence[Example],
    batching: Batching,
    training: TrainingConfig,
    seed: int,
    *,
    pin: bool,
    done: int = 0,
    team: Team = ALONE,
) -> Iterator[list[dict[str, Tensor]]]:
    """Endless optimizer steps' worth of data: each a list of micro-batches on the CPU; every epoch in a new order.

    Args:
        examples: tokenised.
        batching: makes tensors of them.
        training: sizes and grouping.
        seed: decides the order.
        pin: put the tensors where a GPU fetches them fast.
        done: steps to leave out at the beginning, without making their tensors.
        team: whose first process gets the first example of every step, the second the second, and so on.
    """
    lengths = [len(example["input_ids"]) for example in examples]
    micro = training.micro_batch_size or training.batch_size
    for epoch in epochs_of(lengths, training, seed):
        skipped = min(done, len(epoch))
        done -= skipped
        shares = [micro_batches_of(step, micro, team.rank, team.size) for step in epoch[skipped:]]
        pieces = [piece for share, _ in shares for piece in share]
        # Opening a loader draws from torch's random state, once in an epoch; one that is resumed has drawn already.
        with torch.random.fork_rng(devices=[], enabled=skipped > 0):
            loader = iter(DataLoader(examples, batch_sampler=pieces, collate_fn=batching, pin_memory=pin))  # type: ignore[arg-type]
        for share, count in shares:
            loaded = [next(loader) for _ in share]
            yield [*loaded[:count], *map(Filler, loaded[count:])]


def gradients_of(
    model: nn.Module, steps: Iterator[list[Batch]], arithmetic: Arithmetic, team: Team = ALONE
) -> Iterator[Tensor]:
    """For methods that look at the data beforehand: the gradient of each step's mean loss, until the next is asked for.

    Args:
        model: on its device, wrapped by the arithmetic; put into training mode.
        steps: lists of micro-batches, see `batches_of`.
        arithmetic: the device and the backward pass.
        team: shares the steps.
    """
    model.train()
    for micro_batches in steps:
        loss = backward(model, micro_batches, arithmetic, team)
        while not arithmetic.read_gradients(model.parameters()):
            model.zero_grad()
            loss = backward(model, micro_batches, arithmetic, team)
        yield loss
        model.zero_grad()


def backward(model: nn.Module, micro_batches: list[Batch], arithmetic: Arithmetic, team: Team = ALONE) -> Tensor:
    """Add the gradient of the mean loss over all targets of a step's micro-batches, of all processes.

    Returns:
        This process's share of that loss, detached; the shares of all add up to it.
    """
    targets = [target_count(batch) for batch in micro_batches]
    # Of all processes together; it stays on the device, and is made there: a copy from the host would be waited for.
    # What is spread averages gradients, hence the factor.
    everywhere = sum(targets) if team.size == 1 else team.sum(torch.full((), sum(targets), device=arithmetic.device))
    total = torch.zeros((), device=arithmetic.device)
    for index, (batch, count) in enumerate(zip(micro_batches, targets, strict=True)):
        is_last = index == len(micro_batches) - 1
        with nullcontext() if is_last or not isinstance(model, DistributedDataParallel) else model.no_sync():
            # The batch's loss is a mean over its targets; the step's is the mean over all targets of the step.
            with padding_of(batch):
                loss = loss_of(model, to_device(batch, arithmetic.device)) * (count / everywhere)
            arithmetic.backward(loss * team.size if team.size > 1 else loss)
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
    arithmetic: Arithmetic,
    clock: StepClock,
    losses: Losses,
    evaluate: AfterStep,
    progress: Progress,
    checkpoint: AfterStep,
    done: int = 0,
    through: nn.Module | None = None,
    team: Team = ALONE,
) -> None:
    """Train `model` up to optimizer step `total_steps`.

    Args:
        model: adapted and on its device.
        method: its hooks see the gradients and the end of each step.
        steps: lists of micro-batches, see `batches_of`, from the first step that is not done.
        optimiser: over the trained parameters.
        schedule: of its learning rates.
        training: clipping, logging and evaluation intervals.
        total_steps: optimizer steps.
        family: tells whether targets are tokens of their own.
        arithmetic: the device, the backward pass and the scale of the loss.
        clock: times the steps, and nothing else; may have some of them watched.
        losses: takes the losses, and is read at each logging interval.
        evaluate: called with the step, `training.evaluations` times, evenly spread, the last after the last step.
        progress: called at logging intervals.
        checkpoint: called with every step, when all else is done for it.
        done: steps of an earlier attempt, whose end the arguments are at.
        through: what the batches go through, where it is not the model itself; see `bench.distributed.spread`.
        team: the processes that share the steps.

    Raises:
        TrainingDivergedError: the loss is not finite; found at the next logging interval.
        UnsupportedError: the loss depends on none of what some parameters hold that the method counts as trained.
    """
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    # A team's gradients may lie in pieces elsewhere; who goes on from a checkpoint has been through the first steps.
    unreached = list(trainable_parameters(model)) if done == 0 and team.size == 1 else []
    evaluations = min(training.evaluations, total_steps)  # more than one after every step there cannot be
    evaluation_steps = {round(total_steps * (i + 1) / evaluations) for i in range(evaluations)}
    model.train()
    for step in range(done + 1, total_steps + 1):
        micro_batches = next(steps)
        tokens = sum(token_count(batch, family == Family.encoder_decoder) for batch in micro_batches)
        padded = sum(padded_count(batch, family == Family.encoder_decoder) for batch in micro_batches)
        with clock.step(tokens, padded):
            losses.add(backward(through or model, micro_batches, arithmetic, team))
            unreached = [(name, parameter) for name, parameter in unreached if parameter.grad is None]
            arithmetic.unscale(optimiser)
            if training.max_grad_norm is not None:
                nn.utils.clip_grad_norm_(trained, training.max_grad_norm)
            # After clipping: Child-Tuning's authors mask inside the optimizer, which is handed clipped gradients.
            with _same_draws(step, team):
                method.on_gradients(model)
            if arithmetic.step(optimiser):
                schedule.step()
                method.after_step(model, step)
            optimiser.zero_grad()
        if step == min(FIRST, total_steps):
            check_reached(method, (name for name, _ in unreached))
        if step % training.log_every == 0 or step == total_steps:
            progress(step, total_steps, losses.read())
        if step in evaluation_steps:
            evaluate(step)
            model.train()
        checkpoint(step)


def check_reached(method: Method, unreached: Iterable[str]) -> None:
    """Refuse a method whose new parameters the model never uses: they would be counted, and stay as they were drawn.

    What is the base's own, and unused there too, is none of a method's that trains the whole base.

    Raises:
        UnsupportedError: no step so far has given `unreached` parameters a gradient, and the method does not expect it.
    """
    names = sorted(name for name in unreached if not any(part in name for part, _ in method.without_gradient))
    if names and not method.trains_base:
        raise UnsupportedError(
            f"{method.title}: this model's loss does not depend on {len(names)} of the tensors that are counted as "
            f"trained, among them {', '.join(names[:3])}"
        )


@contextmanager
def _same_draws(step: int, team: Team) -> Iterator[None]:
    """Let all processes draw the same random numbers within the block, and go on with their own after it."""
    if team.size == 1:
        yield
        return
    with torch.random.fork_rng():
        torch.manual_seed(step)
        yield


def loss_of(model: nn.Module, batch: Batch) -> Tensor:
    """The model's own loss on a batch; the arithmetic has put the forward pass under the configured precision."""
    loss = model(**batch).loss
    assert isinstance(loss, Tensor)
    return loss


def to_device(batch: Batch, device: torch.device) -> Batch:
    """Move a batch without waiting for the copy; what is no tensor stays on the host."""
    return {
        key: value.to(device, non_blocking=True) if isinstance(value, Tensor) else value for key, value in batch.items()
    }
