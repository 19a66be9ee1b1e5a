"""The arithmetic of a step: the number types of its forward and backward pass, and the scale of its loss.

Autocast (Micikevicius et al. 2018, https://arxiv.org/abs/1710.03740) computes matrix products in 16 bits, from weights
of any type, and what needs more in 32. In fp16 gradients may be too small to be told from zero: the loss is scaled
before the backward pass and the gradients are scaled back, and a step whose gradients overflow is left out.
"""

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from types import MethodType
from typing import Any

import torch
from accelerate.utils import convert_outputs_to_fp32
from torch import Tensor, nn

from bench.configuration.schema import Precision
from bench.errors import UnsupportedError, UserError

AUTOCAST = {Precision.bf16: torch.bfloat16, Precision.fp16: torch.float16}
TF32_FROM = (8, 0)  # compute capability: Ampere


def check_precision(precision: Precision, device: torch.device, way: str = "none") -> None:
    """Refuse arithmetic that the device does not have, or that does not go with how processes share the cell.

    Args:
        precision: not auto.
        device: where the cell computes.
        way: none, ddp or fsdp.

    Raises:
        UserError: tf32 anywhere but on a GPU of NVIDIA's that is new enough.
        UnsupportedError: fp16 of a model that is cut into pieces.
    """
    if precision == Precision.fp16 and way == "fsdp":
        raise UnsupportedError("distributed=fsdp does not scale losses; say training.precision=bf16 or distributed=ddp")
    if precision == Precision.tf32 and not (
        device.type == "cuda" and torch.cuda.get_device_capability(device) >= TF32_FROM
    ):
        raise UserError(
            f"training.precision=tf32 is arithmetic of NVIDIA's GPUs of compute capability 8.0 and newer, which "
            f"device={device.type} is not; say training.precision=fp32"
        )


class Arithmetic:
    """How a cell computes: autocast around its forward passes, and the backward pass with its scale.

    Attributes:
        precision: not auto.
        device: where it computes.
        scales: whether the loss is scaled in fp16; a plan has no values to scale.
        skipped: optimizer steps that were left out because a gradient overflowed; fp16 only.
    """

    def __init__(self, precision: Precision, device: torch.device, *, scales: bool = True) -> None:
        self.precision, self.device, self.skipped = precision, device, 0
        self._autocast = AUTOCAST.get(precision)
        self._scaler = torch.amp.GradScaler(device.type) if precision == Precision.fp16 and scales else None
        if device.type == "cuda":  # of the whole process, which may have run a cell of another precision before
            torch.set_float32_matmul_precision("high" if precision == Precision.tf32 else "highest")
            torch.backends.cudnn.allow_tf32 = precision == Precision.tf32

    def autocast(self) -> AbstractContextManager[Any]:
        """The context of forward passes."""
        return nullcontext() if self._autocast is None else torch.autocast(self.device.type, self._autocast)

    def wrap(self, model: nn.Module) -> nn.Module:
        """Put the model's forward pass under autocast, with its outputs in fp32; the same model."""
        if self._autocast is not None:
            own: Any = getattr(model.forward, "__func__", type(model).forward)
            cast = torch.autocast(self.device.type, self._autocast)
            model.forward = MethodType(convert_outputs_to_fp32(cast(own)), model)
        return model

    def backward(self, loss: Tensor) -> None:
        """The backward pass; gradients are scaled until `unscale`."""
        (loss if self._scaler is None else self._scaler.scale(loss)).backward()

    def unscale(self, optimiser: torch.optim.Optimizer) -> None:
        """Scale a step's gradients back, once they are complete."""
        if self._scaler is not None:
            self._scaler.unscale_(optimiser)

    def step(self, optimiser: torch.optim.Optimizer) -> bool:
        """The optimizer's step; whether it was made. In fp16 the host waits for the answer."""
        if self._scaler is None:
            optimiser.step()
            return True
        vars(optimiser)["_step_supports_amp_scaling"] = False  # a fused one would run its hooks in steps it leaves out
        before = self._scaler.get_scale()
        self._scaler.step(optimiser)
        self._scaler.update()
        made = bool(self._scaler.get_scale() >= before)
        self.skipped += not made
        return made

    def read_gradients(self, parameters: Iterable[nn.Parameter]) -> bool:
        """Scale gradients back that no optimizer will see; False: one of them overflowed, the scale is halved."""
        if self._scaler is None:
            return True
        scale = self._scaler.get_scale()
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        if all(bool(torch.isfinite(gradient).all()) for gradient in gradients):
            for gradient in gradients:
                gradient.div_(scale)
            return True
        self._scaler.update(new_scale=scale / 2)
        return False

    def state(self) -> dict[str, Any]:
        """For a checkpoint: plain values."""
        return {} if self._scaler is None else {"scaler": self._scaler.state_dict(), "skipped": self.skipped}

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from a `state`."""
        if self._scaler is not None and state:
            self._scaler.load_state_dict(state["scaler"])
            self.skipped = state["skipped"]

    def notes(self) -> dict[str, Any]:
        """What a record says of the scale: the last one, and how many steps it cost."""
        return {} if self._scaler is None else {"skipped_steps": self.skipped, "loss_scale": self._scaler.get_scale()}
