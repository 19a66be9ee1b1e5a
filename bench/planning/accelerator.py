"""Stands in for accelerate's Accelerator where the device is one that this machine need not have."""

from types import MethodType
from typing import Any

import torch
from accelerate.utils import convert_outputs_to_fp32
from torch import Tensor, nn

from bench.configuration.schema import Precision


class PlannedAccelerator:
    """The part of the Accelerator that the training loop uses, with the same memory: autocast, outputs in fp32."""

    device = torch.device("cpu")  # of the fake tensors

    def __init__(self, precision: Precision) -> None:
        self._precision = precision

    def prepare_model(self, model: nn.Module) -> nn.Module:
        """Put the forward pass under autocast, as `Accelerator.prepare_model` does."""
        if self._precision == Precision.bf16:
            autocast = torch.autocast("cpu", torch.bfloat16)
            forward: Any = type(model).forward if not hasattr(model.forward, "__func__") else model.forward.__func__
            model.forward = MethodType(convert_outputs_to_fp32(autocast(forward)), model)
        return model

    def backward(self, loss: Tensor) -> None:
        """The backward pass."""
        loss.backward()

    def clip_grad_norm_(self, parameters: Any, max_norm: float) -> Tensor:
        """Clip the gradients' norm in place."""
        return nn.utils.clip_grad_norm_(parameters, max_norm)
