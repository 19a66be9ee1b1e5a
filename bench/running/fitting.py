"""Train one adapted model, from the beginning or from where an earlier attempt was killed."""

import math
from contextlib import nullcontext
from functools import partial
from itertools import islice

from accelerate.utils import set_seed
from torch import nn

from bench.distributed.team import Team
from bench.errors import UserError
from bench.identity.fingerprints import digest_of_all
from bench.metering.split import SplitMeter
from bench.metering.time import StepClock
from bench.metering.utilisation import utilisation
from bench.methods.base import Method
from bench.models.head import head_parameters
from bench.running.memory_limits import shrunk_training
from bench.running.preparation import Prepared
from bench.running.run import Run
from bench.running.scores import Best
from bench.running.state import TrainingState
from bench.running.tracking import log_step
from bench.training.arithmetic import Arithmetic
from bench.training.checkpoint import Checkpoints, Content
from bench.training.compiling import Compilation
from bench.training.interruption import WARNING, Interruption
from bench.training.largest import largest_steps
from bench.training.loop import AfterStep, batches_of, gradients_of, train
from bench.training.losses import Losses
from bench.training.optimiser import make_optimiser, make_schedule

RANK_STRIDE = 1_000_003  # between the seeds of two processes of one cell


def fit(
    run: Run,
    model: nn.Module,
    method: Method,
    prepared: Prepared,
    *,
    best: Best,
    evaluate: AfterStep,
    through: nn.Module | None = None,
) -> None:
    """Train `model`, keep checkpoints on the way, and write losses and times into the record.

    Args:
        run: the attempt; its record has its metrics.
        model: adapted and on its device.
        method: the one that adapted it.
        prepared: data and setting.
        best: the evaluation that counts so far, a part of what is resumed.
        evaluate: see `train`.
        through: what the batches go through, where it is not the model itself.

    Raises:
        TrainingDivergedError: the loss is not finite.
    """
    through = model if through is None else through
    cell, setting, arithmetic, team = run.cell, prepared.setting, prepared.arithmetic, run.team
    set_seed(cell.seed + RANK_STRIDE * team.rank)  # else dropout would be the same everywhere
    identity = f"{cell.config_hash} {digest_of_all(run.record.fingerprints)}"  # of other weights, nothing is resumed
    checkpoints = Checkpoints(run.folder, identity, cell.config["checkpoint_seconds"])
    saved = _latest(checkpoints, team)
    if saved is not None and len(saved.plain["shrunk"]) > len(run.record.environment["shrunk"]):
        run.record.environment["shrunk"] = saved.plain["shrunk"]
    training = shrunk_training(cell, run.record.environment["shrunk"])
    on_gpu = run.device.type == "cuda"
    steps = partial(batches_of, prepared.data.train, prepared.batching, training, cell.seed, pin=on_gpu, team=team)
    epoch = math.ceil(len(prepared.data.train) / training.batch_size)
    if saved is None:
        method.prepare(model, lambda: gradients_of(through, islice(steps(), epoch), arithmetic, team))
    else:
        try:
            method.load_checkpoint_state(model, saved.below("model"))
        except UserError as error:  # the method's code has changed since
            raise UserError(f"cannot go on from a checkpoint; remove {checkpoints.folder}: {error}") from error
    done = 0 if saved is None else saved.step
    head = {name for name, _ in head_parameters(model, setting.structure)}
    optimiser = make_optimiser(model, method, head, training)
    run.record.environment["optimiser"] = type(optimiser).__name__
    # Of the work of several processes, nobody counts yet what fills their memory, or their operations; what compiled
    # blocks do inside is no operation of torch's that could be followed.
    split = None
    if cell.config["memory_split"] and team.size == 1 and not training.compile:
        chosen = largest_steps(
            prepared.data.train, prepared.batching, training, cell.seed, total_steps=setting.total_steps, done=done
        )
        split = SplitMeter(model, optimiser, run.device, chosen)
    clock = StepClock(run.device, split.watch if split is not None else None)
    losses, interruption = Losses(team), Interruption()
    compilation = Compilation(model, setting.structure, clock) if training.compile else None
    schedule = make_schedule(optimiser, training, setting.total_steps)
    state = TrainingState(
        run=run, model=model, method=method, optimiser=optimiser, schedule=schedule, losses=losses, clock=clock,
        split=split, best=best, arithmetic=arithmetic,
    )  # fmt: skip
    if saved is not None:
        state.load(saved)
    run.record.environment["checkpoint_notes"] = checkpoints.notes

    def progress(step: int, total: int, loss: float) -> None:
        run.report("train", step, total, loss)
        log_step(run, step, loss, optimiser)

    # The processes of a team would each stop at another step: they write a checkpoint and go on until they are ended.
    delay = interruption.put_off() if team.size == 1 else interruption.put_off([WARNING])
    with delay, nullcontext() if compilation is None else compilation.at_work():
        train(
            model, method, steps(done=done), done=done, optimiser=optimiser,
            schedule=schedule, training=training, total_steps=setting.total_steps, family=setting.family,
            arithmetic=arithmetic, clock=clock, losses=losses,
            evaluate=evaluate if compilation is None else compilation.resting(evaluate),
            through=through, team=team, progress=progress,
            checkpoint=partial(state.save_if_due, checkpoints=checkpoints, interruption=interruption),
        )  # fmt: skip
    assert run.record.metrics is not None
    run.record.metrics.losses = losses.means
    run.record.environment["arithmetic"] |= arithmetic.notes()
    book_steps(run, clock, split, arithmetic)


def book_steps(run: Run, clock: StepClock, split: SplitMeter | None, arithmetic: Arithmetic) -> None:
    """Write the time of the optimizer steps, their speed, and what filled the memory into the record."""
    seconds, steps, time = clock.seconds(), clock.undisturbed(), run.record.time
    time.train, time.steps = sum(seconds), len(seconds)
    followed = clock.watched()
    time.steps_followed, time.train_followed = followed.count, followed.seconds
    time.step_p50, time.step_p95 = clock.percentiles()
    time.tokens_per_second = steps.tokens / steps.seconds if steps.count else None
    if run.cell.training.compile:
        compiling = clock.with_compiling()
        time.steps_compiling, time.train_compiling = compiling.count, compiling.seconds
        time.compiling = clock.compiling
    if split is not None:
        run.meter.train_parts = split.parts
        if split.flops_per_token is not None:
            time.flops_per_second = split.flops_per_token * steps.padded / steps.seconds
            time.utilisation = utilisation(time.flops_per_second, run.device, arithmetic.precision)


def _latest(checkpoints: Checkpoints, team: Team) -> Content | None:
    """The newest checkpoint that is whole, the same for all processes."""
    saved = checkpoints.latest() if team.is_first else None
    step = team.agree(None if saved is None else saved.step)
    return checkpoints.read(step) if saved is None and step is not None else saved
