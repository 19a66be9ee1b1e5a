"""Linear layers in eight bits: LLM.int8(), computed by bitsandbytes.

Dettmers et al. 2022, https://arxiv.org/abs/2208.07339, section 3. A row of the weight is in int8 with a scale in fp32;
so is, for each product, a row of the inputs; columns of the inputs with a value of the threshold or more are left out
and computed in the inputs' own type.

Imported late: it draws in bitsandbytes, which must not be loaded before a worker has its GPU.
"""

from collections.abc import Mapping
from typing import Any

import torch
from bitsandbytes.autograd._functions import MatMul8bitLt, MatmulLtState
from bitsandbytes.functional import int8_vectorwise_quant
from bitsandbytes.nn import Int8Params, Linear8bitLt
from torch import Tensor, nn

import bench.system.quiet  # noqa: F401  # before the libraries that it silences
from bench.errors import UserError
from bench.models.fused_rows import cut
from bench.models.structure import FusedRows

LARGEST_CODE = 127  # a row's scale is its largest absolute value


class EightBitLinear(Linear8bitLt):
    """x ↦ x Wᵀ + b, `(…, inputs)` to `(…, outputs)` with W in int8, the same computation everywhere.

    bitsandbytes' own layer computes something else where it is trained on a CPU (a plain product with the dequantised
    weight), hands its product of integers to autocast on CPUs without AVX-512, which rounds it to 16 bits, rounds its
    bias to the type of its inputs for good, and keeps its scales out of sight of `Module.to`. This one runs the
    operations of LLM.int8() in training and evaluation and on any device, and its scales are a buffer.
    """

    SCB: Tensor  # of the rows, `(outputs,)`, fp32; bitsandbytes' name

    def __init__(self, codes: Tensor, scales: Tensor, bias: nn.Parameter | None, threshold: float) -> None:
        """Take over packed values.

        Args:
            codes: int8, `(outputs, inputs)`.
            scales: fp32, `(outputs,)`; W = codes · scales / 127.
            bias: `(outputs,)`, as it is.
            threshold: of the inputs' columns that are not put into eight bits; 0: all are.
        """
        nn.Module.__init__(self)  # bitsandbytes' own would make weights of its own
        self.out_features, self.in_features = codes.shape
        self.threshold, self.index = threshold, None
        self.weight = Int8Params(codes, requires_grad=False, has_fp16_weights=False)
        self.register_parameter("bias", bias)
        self.register_buffer("SCB", scales)

    @property
    def state(self) -> MatmulLtState:
        """What bitsandbytes' operations and the peft library ask for: made anew each time, so it is never outdated."""
        weight: Any = self.weight
        if getattr(weight, "SCB", None) is not None:  # the peft library has put a weight of its own here
            self.SCB, weight.CB, weight.SCB = weight.SCB, None, None
        state = MatmulLtState(CB=weight.data, SCB=self.SCB)
        state.threshold, state.has_fp16_weights, state.is_training = self.threshold, False, False
        return state

    @state.setter
    def state(self, state: MatmulLtState) -> None:
        """The peft library hands a layer's state on to what takes its place, here the same layer."""
        assert state.SCB is not None
        self.SCB, self.threshold = state.SCB, state.threshold

    def forward(self, x: Tensor) -> Tensor:
        """LLM.int8()'s product; under autocast, as any linear layer's, of inputs in its type."""
        kind = x.device.type
        x = x.to(torch.get_autocast_dtype(kind)) if torch.is_autocast_enabled(kind) else x
        bias = None if self.bias is None else self.bias.to(x.dtype)
        with torch.autocast(kind, enabled=False):
            result = self.product(x.reshape(-1, self.in_features), bias)
        return result.view(*x.shape[:-1], self.out_features)

    def product(self, rows: Tensor, bias: Tensor | None) -> Tensor:
        """Of `(rows, inputs)`, in the type of the rows."""
        if rows.dtype == torch.float16 and rows.device.type == "cpu":
            rows = rows.clone()  # the CPU's kernel writes zeros into it for a while, which autograd would not forgive
        result: Tensor = MatMul8bitLt.apply(rows, self.weight, None, bias, self.state)
        return result

    def dequantised(self) -> Tensor:
        """W in fp32, `(outputs, inputs)`."""
        return self.weight.data.float() * (self.state.SCB[:, None] / LARGEST_CODE)  # type: ignore[index]

    def parts(self, rows: FusedRows) -> list[nn.Module]:
        """Layers of queries, keys and values: a row keeps its codes and its scale, so no weight changes."""
        codes, scales = cut(self.weight.data, rows), cut(self.SCB, rows)
        biases = [None] * len(codes) if self.bias is None else cut(self.bias.detach(), rows)
        return [self._part(*own) for own in zip(codes, scales, biases, strict=True)]

    def _part(self, codes: Tensor, scales: Tensor, bias: Tensor | None) -> nn.Module:
        own = None if bias is None else nn.Parameter(bias, requires_grad=self.bias.requires_grad)
        return type(self)(codes, scales, own, self.threshold)

    def _save_to_state_dict(self, *args: Any) -> None:
        nn.Module._save_to_state_dict(self, *args)  # the scales are a buffer, and need no key of their own


def eight_bit(linear: nn.Linear, threshold: float) -> EightBitLinear:
    """Put a linear layer into eight bits, by way of fp16 as bitsandbytes does; its bias is taken over."""
    codes, scales, _ = int8_vectorwise_quant(linear.weight.detach().to(torch.float16).contiguous())
    return EightBitLinear(codes, scales, linear.bias, threshold)


def settled(layer: Linear8bitLt) -> EightBitLinear:
    """The same values as bitsandbytes' layer has, which `from_pretrained` has put into eight bits."""
    if isinstance(layer, EightBitLinear):
        return layer
    weight: Any = layer.weight
    scales: Any = layer.state.SCB if weight.SCB is None else weight.SCB
    return EightBitLinear(weight.data, scales, layer.bias, layer.state.threshold)


def check_scales(layers: Mapping[str, Any], source: str) -> None:
    """Refuse weights that are no numbers in fp16, which eight-bit layers are made from: it shows in their scales.

    Args:
        layers: bitsandbytes' eight-bit layers, by path.
        source: what the user called the model.

    Raises:
        UserError: NaN, an infinite value, or one beyond 65504.
    """
    for path, layer in layers.items():
        scales = layer.state.SCB if layer.weight.SCB is None else layer.weight.SCB
        if not torch.isfinite(scales).all():
            raise UserError(f"{source}: {path}.weight has values that are no numbers in fp16, and eight bits need them")
