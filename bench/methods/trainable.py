"""Which parameters of a model are trained, and how their values are put back."""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from bench.errors import UserError
from bench.models.sharded import like


def trainable_parameters(model: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    """Names and parameters that require gradients; a tied parameter once."""
    return ((name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad)


def freeze(model: nn.Module) -> None:
    """Let no parameter require gradients."""
    for parameter in model.parameters():
        parameter.requires_grad_(False)


def copy_into(parameters: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> None:
    """Copy each tensor of `state` into the parameter, or buffer, of the same name.

    Raises:
        UserError: names or shapes differ.
    """
    missing = sorted(parameters.keys() - state.keys())
    unknown = sorted(state.keys() - parameters.keys())
    if missing or unknown:
        raise UserError(f"the saved state does not fit the model; missing: {missing[:3]}, unknown: {unknown[:3]}")
    with torch.no_grad():
        for name, parameter in parameters.items():
            if parameter.shape != state[name].shape:
                raise UserError(
                    f"the saved '{name}' has shape {tuple(state[name].shape)}, the model's {tuple(parameter.shape)}"
                )
            parameter.copy_(like(parameter, state[name]))
