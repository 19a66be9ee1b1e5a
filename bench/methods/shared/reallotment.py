"""AdaLoRA in training, which the peft library leaves to the training loop: ranks fall, singular vectors stay apart.

Zhang et al. 2023, https://arxiv.org/abs/2303.10512, section 3.
"""

from collections.abc import Iterator

import peft
import torch
from torch import Tensor, nn

SHORTEST = 2  # steps: one to weigh the singular values, one to drop some

# In a checkpoint, before the name of a parameter:
RANKS = "rank_pattern."  # which singular values are left
AVERAGES = ("ipt", "exp_avg_ipt", "exp_avg_unc")  # the library's names for importance and its running averages


def tuner_with_its_loss(wrapped: peft.PeftModel) -> nn.Module:
    """The library's tuner itself: a PeftModel without a task type goes past its loss term."""
    for name, parameter in wrapped.named_parameters():
        if "ranknum" in name:  # a constant, which the library thaws when it moves one to the meta device
            parameter.requires_grad_(False)
    return wrapped.base_model


def reallot(model: nn.Module, step: int) -> None:
    """Weigh the singular values after optimizer step `step`, and at the interval drop the least important ones."""
    config = _config(model)
    # Where nothing is to be dropped, the library would look for the 0-th smallest of the scores.
    if config.target_r >= config.init_r:
        return
    tuner = _tuner(model)
    for name, parameter in tuner.named_parameters():
        # Of a layer that was left out of this step (layerdrop); the library takes it for granted that none is.
        if "lora_" in name and parameter.requires_grad and parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
    tuner.update_and_allocate(step)


def reallotment_state(model: nn.Module) -> dict[str, Tensor]:
    """Which singular values are left, and the averages that the next pruning goes by."""
    pattern = _config(model).rank_pattern or {}
    state = {RANKS + name: torch.tensor(kept, dtype=torch.bool) for name, kept in pattern.items()}
    allocator = _tuner(model).rankallocator
    for average in AVERAGES:
        state |= {f"{average}.{name}": tensor for name, tensor in getattr(allocator, average).items()}
    return state


def load_reallotment_state(model: nn.Module, state: dict[str, Tensor]) -> None:
    """Put both back."""
    tuner = _tuner(model)
    devices = {name: parameter.device for name, parameter in tuner.model.named_parameters()}
    _config(model).rank_pattern = {n: tensor.tolist() for n, tensor in _below(RANKS, state)} or None
    for average in AVERAGES:
        values = {name: tensor.to(devices[name], copy=True) for name, tensor in _below(f"{average}.", state)}
        setattr(tuner.rankallocator, average, values)


def _below(prefix: str, state: dict[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    return ((name.removeprefix(prefix), tensor) for name, tensor in state.items() if name.startswith(prefix))


def _tuner(model: nn.Module) -> peft.AdaLoraModel:
    return next(module for module in model.modules() if isinstance(module, peft.AdaLoraModel))


def _config(model: nn.Module) -> peft.AdaLoraConfig:
    config = _tuner(model).peft_config["default"]
    assert isinstance(config, peft.AdaLoraConfig)
    return config
