"""The number types of a model's values: of the frozen base, and of what is trained.

The base may be kept in 16 bits, which halves it; what is trained is kept and updated in fp32 (master weights,
Micikevicius et al. 2018, https://arxiv.org/abs/1710.03740, section 3.1): small updates would be rounded away.
"""

from collections import Counter
from math import prod
from typing import Any

import torch
from torch import nn
from transformers import PretrainedConfig

from bench.configuration.schema import Dtype, ModelConfig
from bench.errors import UserError
from bench.models.checkpoint import FLOATS, Checkpoint
from bench.models.structure import Structure

TORCH = {Dtype.float32: torch.float32, Dtype.bfloat16: torch.bfloat16, Dtype.float16: torch.float16}
NAMES = {str(dtype): name for name, dtype in TORCH.items()} | {"torch.float64": Dtype.float32}


def dtype_of(config: ModelConfig, architecture: PretrainedConfig, checkpoint: Checkpoint | None) -> Dtype:
    """The type of the base's values: as configured, or for `auto` the one that most of the checkpoint is stored in.

    Args:
        config: which model.
        architecture: may name a type, which counts where there are no files.
        checkpoint: its weights as they are stored, if they are known.

    Raises:
        UserError: `auto`, and nothing says which.
    """
    if config.dtype != Dtype.auto:
        return config.dtype
    if checkpoint is not None:
        stored: Counter[str] = Counter()
        for tensor in checkpoint.tensors.values():
            stored[tensor.dtype] += prod(tensor.shape)
        floats = {name: count for name, count in stored.items() if name in FLOATS.values()}
        words = {short: long for long, short in FLOATS.items()}
        if floats:
            return NAMES[words[max(floats, key=lambda name: floats[name])]]
    named = str(getattr(architecture, "dtype", None))
    if named in NAMES:
        return NAMES[named]
    raise UserError(
        f"model.dtype=auto takes the type that the weights of '{config.name}' are stored in, which is not known here; "
        "say model.dtype=bfloat16, or another one"
    )


def lower(model: Any, structure: Structure, dtype: Dtype) -> None:
    """Round the base's values to `dtype`, as `from_pretrained` does while it reads; the task head stays in fp32.

    Args:
        model: of transformers' classes, bare, in fp32, on any device.
        structure: its sites.
        dtype: of the base.
    """
    wide = kept_wide(model, dtype)
    for name, parameter in model.named_parameters():
        if parameter.is_floating_point() and not structure.is_of_head(name) and not wide & set(name.split(".")):
            _change(parameter, TORCH[dtype])


def kept_wide(model: Any, dtype: Dtype) -> set[str]:
    """Parts of names of what transformers keeps in fp32 in a model of 16 bits: T5's `wo` overflows in fp16."""
    wide = set(getattr(model, "_keep_in_fp32_modules_strict", None) or ()) if dtype != Dtype.float32 else set()
    return wide | (set(getattr(model, "_keep_in_fp32_modules", None) or ()) if dtype == Dtype.float16 else set())


def set_trained(model: nn.Module, dtype: Dtype) -> None:
    """Give what is trained its type, and all of a norm that is trained in part: its kernels take no mixture.

    Args:
        model: adapted; what requires gradients is trained.
        dtype: float32, or the base's own where no master weights are wanted.
    """
    for module in model.modules():
        own = list(module.parameters(recurse=False))
        if "Norm" in type(module).__name__ and any(parameter.requires_grad for parameter in own):
            trained = own
        else:
            trained = [parameter for parameter in own if parameter.requires_grad]
        for parameter in trained:
            _change(parameter, TORCH[dtype])


def _change(parameter: nn.Parameter, dtype: torch.dtype) -> None:
    if parameter.is_floating_point() and parameter.dtype != dtype:
        parameter.data = parameter.data.to(dtype)
