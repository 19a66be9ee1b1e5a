"""Spread a model over the processes of a team: a copy for each (DDP), or a part for each (FSDP).

DDP: Li et al. 2020, https://arxiv.org/abs/2006.15704. FSDP: Zhao et al. 2023, https://arxiv.org/abs/2304.11277, in
torch's second form, `fully_shard`, which leaves modules, parameter names and hooks as they are.
"""

import warnings
from typing import Any

import torch
from accelerate import Accelerator
from torch import nn

from bench.configuration.cell import Cell
from bench.configuration.schema import Quantisation
from bench.errors import UnsupportedError, UserError
from bench.methods.base import Method
from bench.models.quantisation import WORDS
from bench.models.structure import Structure


def check_spread(cell: Cell) -> None:
    """Refuse more processes than there are GPUs.

    Raises:
        UserError: one line.
    """
    processes = cell.config["processes"]
    gpus = torch.cuda.device_count() if processes > 1 and cell.config["device"] != "cpu" else 0
    if 0 < gpus < processes:
        raise UserError(f"processes={processes}, but {gpus} GPU(s) are visible; each process needs its own")


def check_sharding(cell: Cell, method: Method) -> None:
    """Refuse what cannot be cut into parts.

    Raises:
        UnsupportedError: one line.
    """
    if cell.config["distributed"] != "fsdp":
        return
    kinds = {cell.base.quantisation, method.load_options().quantisation} - {Quantisation.none}
    if kinds:
        words = " and ".join(WORDS[kind] for kind in sorted(kinds))
        raise UnsupportedError(f"distributed=fsdp cannot cut packed {words} weights; distributed=ddp can copy them")
    if not method.shardable:
        raise UnsupportedError(
            f"{method.title} needs whole tensors, which distributed=fsdp cuts; distributed=ddp copies them"
        )


def spread(model: nn.Module, structure: Structure, way: str, accelerator: Accelerator) -> nn.Module:
    """Put the model where it is trained.

    Args:
        model: adapted; changed in place, and afterwards what is evaluated and stored.
        structure: of the bare model.
        way: none, ddp or fsdp.
        accelerator: the device and the team.

    Returns:
        What the batches of training go through: the model itself, or a wrapper around it.
    """
    if way == "fsdp":
        _shard(model, structure, accelerator)
    # In "evaluation mode" the accelerator cares for the device alone, and wraps nothing.
    model = accelerator.prepare_model(model, evaluation_mode=True)
    if way == "ddp":
        # No method has buffers that change in training, so none need to be sent around in every step.
        devices = [accelerator.device.index] if accelerator.device.type == "cuda" else None
        with warnings.catch_warnings():  # torch 2.13 is about to give the option another name
            warnings.simplefilter("ignore", FutureWarning)
            return nn.parallel.DistributedDataParallel(model, device_ids=devices, broadcast_buffers=False)
    return model


def _shard(model: nn.Module, structure: Structure, accelerator: Accelerator) -> None:
    """Cut the parameters of every block, and those outside of the blocks together."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method

    mesh = init_device_mesh(accelerator.device.type, (accelerator.num_processes,))
    layers: list[Any] = [model]  # the model, and what the peft library has wrapped
    while hasattr(layers[-1], "get_base_model"):
        layers.append(layers[-1].get_base_model())
    for block in structure.blocks:
        fully_shard(layers[-1].get_submodule(block.path), mesh=mesh)
    fully_shard(model, mesh=mesh)
    for layer in layers:
        if hasattr(layer, "generate"):
            register_fsdp_forward_method(layer, "generate")
