"""The pretrained model of a cell, read without its weights: what it is, where its parts are, and how it computes."""

from dataclasses import dataclass

import torch
from torch import nn
from transformers import PretrainedConfig

from bench.configuration.number_types import precision_for
from bench.configuration.schema import Dtype, ModelConfig, Precision, TrainingConfig
from bench.methods.base import Method
from bench.methods.loading import as_wanted
from bench.models.attention import Circumstances, settle
from bench.models.checkpoint import Checkpoint
from bench.models.families import structure_of
from bench.models.head import Head, with_pooler
from bench.models.load import build_empty, load_architecture
from bench.models.number_types import dtype_of
from bench.models.remarks import check_head_choice
from bench.models.source import checkpoint_of
from bench.models.structure import Structure
from bench.training.arithmetic import check_precision


@dataclass(frozen=True)
class Base:
    """A pretrained model before it is loaded.

    Attributes:
        config: the cell's, with the attention that it computes with in place of `auto`.
        architecture: transformers' configuration.
        empty: the model on the meta device.
        checkpoint: its weights as they are stored; None where that is not known.
        structure: its sites.
        dtype: of the base's values, not `auto`.
        precision: of passes through it, not `auto`.
    """

    config: ModelConfig
    architecture: PretrainedConfig
    empty: nn.Module
    checkpoint: Checkpoint | None
    structure: Structure
    dtype: Dtype
    precision: Precision


def read_base(
    config: ModelConfig,
    training: TrainingConfig,
    head: Head | None,
    method: Method,
    device: torch.device,
    *,
    way: str = "none",
) -> Base:
    """Read what can be known of a cell's model before its weights.

    Args:
        config: which model.
        training: its precision counts, and whether there are master weights.
        head: of the task.
        method: may want another storage or attention.
        device: where it will compute.
        way: how the cell's processes share the work.

    Raises:
        UserError: something is missing or does not fit.
    """
    architecture = load_architecture(config, head)
    empty, checkpoint = build_empty(config, architecture), checkpoint_of(config)
    structure = with_pooler(structure_of(empty, config.family, config.structure), empty, checkpoint)
    check_head_choice(config, structure)
    dtype = dtype_of(config, architecture, checkpoint)
    precision = precision_for(dtype, training.precision, training.master_weights)
    check_precision(precision, device, way)
    around = Circumstances(device, precision, method.attention_limit)
    settled = settle(as_wanted(config, method), architecture, around)
    return Base(settled, architecture, empty, checkpoint, structure, dtype, precision)
