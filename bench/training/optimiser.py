"""The optimiser and its schedule, from a cell's training configuration and a method's parameter groups."""

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn
from torch.optim.lr_scheduler import LRScheduler

from bench.configuration.schema import Optimiser, Schedule, TrainingConfig
from bench.errors import UserError
from bench.methods.base import Method
from bench.training import optimiser_kinds

SCHEDULES = {
    Schedule.linear: "linear",
    Schedule.constant: "constant_with_warmup",
    Schedule.cosine: "cosine",
}

MOMENTS = {"state1", "state2"}  # bitsandbytes' names of them
UNDECAYED = {"bias", "norm"}
KINDS = UNDECAYED | {"weight", "embedding", "head"}

# Of a parameter's full name, in lower case, as transformers' Trainer has them. T5's `relative_attention_bias.weight` is
# a bias by this rule, although its last part is not called one; embeddings are none, and decay.
SPARED = re.compile(r"bias|layernorm|rmsnorm|(?:^|\.)norm(?:$|\.)|_norm(?:$|\.)")


def step_count(training: TrainingConfig, examples: int) -> int:
    """Optimizer steps of the whole training: `epochs` passes over `examples`, cut at `max_steps`."""
    steps = math.ceil(math.ceil(examples / training.batch_size) * training.epochs)
    return steps if training.max_steps is None else min(steps, training.max_steps)


def make_optimiser(
    model: nn.Module,
    method: Method,
    head: set[str],
    training: TrainingConfig,
    build: Callable[[list[dict[str, Any]], TrainingConfig, Optimiser], torch.optim.Optimizer] = optimiser_kinds.build,
) -> torch.optim.Optimizer:
    """The cell's or the method's optimiser over what the method trains; biases and norms without weight decay.

    Args:
        model: adapted.
        method: what is trained, in groups, a group's learning rate before the cell's; its optimiser and multipliers,
            where the cell names none of its own.
        head: names of the head's parameters.
        training: the cell's settings.
        build: makes it of the groups.

    Raises:
        UserError: a multiplier or a decay is of parameters that there are none of.
    """
    labels = labels_of(model, head)
    groups = method.parameter_groups(model)
    named = [name for group in groups for name, _ in group.parameters]
    own, users = method.rate_multipliers(), training.rate_multipliers
    for setting, keys in (("rate_multipliers", users), ("weight_decays", training.weight_decays)):
        for key in keys:
            if not any(key in labels[name] for name in named):
                raise UserError(
                    f"training.{setting}.{key}: nothing that {method.title} trains is called so; there are "
                    f"{', '.join(sorted({labels[name][-1] for name in named}))}, and parts of names such as {named[0]}"
                )
    entries = {name: mask for group in groups for name, mask in group.entries.items()}
    collected: dict[tuple[float, float, float], list[nn.Parameter]] = {}
    masks: dict[nn.Parameter, torch.Tensor] = {}
    for group in groups:
        for name, parameter in group.parameters:
            rate = group.learning_rate or training.learning_rate
            if name in head and training.head_learning_rate is not None:
                rate = training.head_learning_rate
            rate *= _said_of(labels[name], own | users, 1.0)
            spared = 0.0 if labels[name][-1] in UNDECAYED else training.weight_decay
            decay = _said_of(labels[name], training.weight_decays, spared)
            if decay and name in entries:
                masks[parameter] = entries[name]
                collected.setdefault((rate, 0.0, decay), []).append(parameter)
            else:
                collected.setdefault((rate, decay, 0.0), []).append(parameter)
    optimiser = build(
        [
            {"params": ps, "lr": rate, "weight_decay": decay, "masked_decay": masked}
            for (rate, decay, masked), ps in collected.items()
        ],
        training,
        training.optimiser or method.optimiser(),
    )
    if masks:
        optimiser.register_step_pre_hook(lambda *_: _decay(optimiser, masks))
    return optimiser


def labels_of(model: nn.Module, head: set[str]) -> dict[str, tuple[str, ...]]:
    """By name of a parameter, what it may be called: the parts of its name from the last on, `head`, and its kind.

    The kind is norm, bias, embedding or weight. Norms and biases are told by name as in transformers' Trainer, and
    norms by their class too: the Trainer decays T5's own in blocks that call theirs otherwise.
    """
    norms = {id(p) for m in model.modules() if "Norm" in type(m).__name__ for p in m.parameters(recurse=False)}
    tables = {id(m.weight) for m in model.modules() if isinstance(m, nn.Embedding)}

    def kind(name: str, parameter: nn.Parameter) -> str:
        spared = SPARED.search(name.lower())
        if id(parameter) in norms or (spared and "norm" in spared[0]):
            return "norm"
        return "bias" if spared else "embedding" if id(parameter) in tables else "weight"

    return {
        name: (
            *(part for part in reversed(name.split(".")) if part not in KINDS),
            *(("head",) if name in head else ()),
            kind(name, parameter),
        )
        for name, parameter in model.named_parameters()
    }


def _said_of(labels: tuple[str, ...], said: Mapping[str, float], otherwise: float) -> float:
    """What is said of a parameter, by the first of its labels that something is said of."""
    return next((said[label] for label in labels if label in said), otherwise)


@torch.no_grad()
def load_state(optimiser: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Put an optimiser's `state_dict` back; moments that bitsandbytes pages out are paged again.

    Its own `load_state_dict` leaves them as ordinary tensors on the GPU, for which a resumed cell may have no room.
    """
    optimiser.load_state_dict(state)
    if not getattr(optimiser, "is_paged", False):
        return
    for parameter, values in optimiser.state.items():
        for key in MOMENTS & values.keys():
            buffer = optimiser.get_state_buffer(parameter, dtype=values[key].dtype)  # type: ignore[attr-defined]
            if parameter.device.type == "cuda":
                torch.cuda.synchronize(parameter.device)  # the buffer is filled there, and copied into from here
            values[key] = buffer.copy_(values[key])


@torch.no_grad()
def _decay(optimiser: torch.optim.Optimizer, masks: dict[nn.Parameter, torch.Tensor]) -> None:
    """AdamW's decoupled weight decay, w ← w·(1 − lr·decay), on the unmasked entries; the others keep their bits."""
    for group in optimiser.param_groups:
        for parameter in group["params"]:
            if parameter in masks:
                shrink = group["lr"] * group["masked_decay"]
                parameter.mul_(torch.where(masks[parameter], 1 - shrink, 1.0))


def make_schedule(optimiser: torch.optim.Optimizer, training: TrainingConfig, total_steps: int) -> LRScheduler:
    """Warm-up, then the schedule that the configuration names, over `total_steps`."""
    # Imported late: it draws in bitsandbytes, which must not be loaded before a worker has its GPU.
    from transformers import get_scheduler

    schedule: LRScheduler = get_scheduler(
        SCHEDULES[training.schedule],
        optimiser,
        num_warmup_steps=math.ceil(training.warmup * total_steps),
        num_training_steps=total_steps,
    )
    return schedule
