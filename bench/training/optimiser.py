"""The optimiser and its schedule, from a cell's training configuration and a method's parameter groups."""

import math
import re
from typing import Any

import torch
from torch import nn
from torch.optim.lr_scheduler import LRScheduler

from bench.configuration.schema import Schedule, TrainingConfig
from bench.methods.base import OptimiserKind, ParameterGroup

SCHEDULES = {
    Schedule.linear: "linear",
    Schedule.constant: "constant_with_warmup",
    Schedule.cosine: "cosine",
}

PAGED = {"state1", "state2"}  # bitsandbytes' names of Adam's moments

# Of a parameter's full name, in lower case, as transformers' Trainer has them. T5's `relative_attention_bias.weight` is
# a bias by this rule, although its last part is not called one; embeddings are none, and decay.
SPARED = re.compile(r"bias|layernorm|rmsnorm|(?:^|\.)norm(?:$|\.)|_norm(?:$|\.)")


def step_count(training: TrainingConfig, examples: int) -> int:
    """Optimizer steps of the whole training: `epochs` passes over `examples`, cut at `max_steps`."""
    steps = math.ceil(math.ceil(examples / training.batch_size) * training.epochs)
    return steps if training.max_steps is None else min(steps, training.max_steps)


def make_optimiser(
    model: nn.Module, groups: list[ParameterGroup], head: set[str], training: TrainingConfig, kind: OptimiserKind
) -> torch.optim.Optimizer:
    """AdamW over the method's groups; the head at its own learning rate, biases and norms without weight decay.

    Args:
        model: to tell which parameters belong to a norm.
        groups: what is trained; a group's learning rate goes before the cell's.
        head: names of the head's parameters.
        training: the cell's settings.
        kind: which AdamW. A paged one needs a GPU to page from; on a CPU torch's own takes its place, which computes
            the same, and the record's environment names the class that was used.
    """
    undecayed = _undecayed(model)
    entries = {name: mask for group in groups for name, mask in group.entries.items()}
    collected: dict[tuple[float, float, float], list[nn.Parameter]] = {}
    masks: dict[nn.Parameter, torch.Tensor] = {}
    for group in groups:
        for name, parameter in group.parameters:
            rate = group.learning_rate or training.learning_rate
            if name in head and training.head_learning_rate is not None:
                rate = training.head_learning_rate
            decay = 0.0 if name in undecayed else training.weight_decay
            if decay and name in entries:
                masks[parameter] = entries[name]
                collected.setdefault((rate, 0.0, decay), []).append(parameter)
            else:
                collected.setdefault((rate, decay, 0.0), []).append(parameter)
    optimiser = _adamw(
        [
            {"params": ps, "lr": rate, "weight_decay": decay, "masked_decay": masked}
            for (rate, decay, masked), ps in collected.items()
        ],
        training,
        kind,
    )
    if masks:
        optimiser.register_step_pre_hook(lambda *_: _decay(optimiser, masks))
    return optimiser


def _adamw(groups: list[dict[str, Any]], training: TrainingConfig, kind: OptimiserKind) -> torch.optim.Optimizer:
    options: dict[str, Any] = {"betas": (training.beta1, training.beta2), "eps": training.epsilon}
    if kind == OptimiserKind.paged_adamw_32bit and groups[0]["params"][0].device.type == "cuda":
        from bitsandbytes.optim import PagedAdamW32bit

        paged: torch.optim.Optimizer = PagedAdamW32bit(groups, **options)
        return paged
    return torch.optim.AdamW(groups, **options, fused=True)


@torch.no_grad()
def load_state(optimiser: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Put an optimiser's `state_dict` back; moments that bitsandbytes pages out are paged again.

    Its own `load_state_dict` leaves them as ordinary tensors on the GPU, for which a resumed cell may have no room.
    """
    optimiser.load_state_dict(state)
    if not getattr(optimiser, "is_paged", False):
        return
    for parameter, values in optimiser.state.items():
        for key in PAGED & values.keys():
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


def _undecayed(model: nn.Module) -> set[str]:
    """Names of the parameters that weight decay leaves alone: biases and norms, by name as in transformers' Trainer.

    Norms are known by their class too: the Trainer decays T5's own in blocks that call theirs otherwise.
    """
    norms = {id(p) for m in model.modules() if "Norm" in type(m).__name__ for p in m.parameters(recurse=False)}
    return {name for name, p in model.named_parameters() if id(p) in norms or SPARED.search(name.lower())}
