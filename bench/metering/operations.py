"""Floating-point operations, by the formulas of PyTorch's flop counter, and of what it does not know."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor
from torch.utils.flop_counter import flop_registry, sdpa_backward_flop_count, sdpa_flop_count


def _of_packed_weights(inputs: Any, packed: Any, shape: Sequence[int], *_: Any, **__: Any) -> int:
    """A product with weights `(out, in)` of four bits; unpacking them is none of the count, as on PyTorch's side."""
    count: int = inputs.numel()
    return 2 * count * shape[0]


def _of_int8(inputs: Any, weights: Any, *_: Any, **__: Any) -> int:
    """A product of int8 inputs with int8 weights `(out, in)`; scales are none of the count."""
    count: int = 2 * inputs.numel() * weights.shape[0]
    return count


def _of_groups(one: Any, other: Any, *_: Any, **__: Any) -> int:
    """Products in groups (experts): each row is multiplied with one matrix, whichever of the two has the matrices."""
    if one.dim() == 3 and other.dim() == 2:
        one, other = other, one
        return 2 * int(one.numel()) * int(other.shape[-2])
    return 2 * int(one.numel()) * int(other.shape[-1])


def _of_attention(query: Any, key: Any, value: Any, *_: Any, **__: Any) -> int:
    """Fused attention on a CPU, by the formula of a GPU's: all pairs of tokens, also where a mask leaves half out."""
    count: int = sdpa_flop_count(query.shape, key.shape, value.shape)
    return count


def _of_attention_backward(gradient: Any, query: Any, key: Any, value: Any, *_: Any, **__: Any) -> int:
    count: int = sdpa_backward_flop_count(gradient.shape, query.shape, key.shape, value.shape)
    return count


# By name: bitsandbytes registers its operators when it is imported, which may be never.
OTHERS: dict[str, Callable[..., int]] = {
    "bitsandbytes::gemm_4bit": _of_packed_weights,
    "bitsandbytes::gemv_4bit": _of_packed_weights,
    "bitsandbytes::int8_scaled_mm": _of_int8,
    # The columns of inputs that are computed in more bits are not counted again.
    "bitsandbytes::int8_mixed_scaled_mm": lambda inputs, _, weights, *rest, **more: _of_int8(inputs, weights),
    "aten::_grouped_mm": _of_groups,
    "aten::_scaled_dot_product_flash_attention_for_cpu": _of_attention,
    "aten::_scaled_dot_product_flash_attention_for_cpu_backward": _of_attention_backward,
    "aten::_int_mm": lambda inputs, weights, **_: _of_int8(inputs, weights.T),  # in a plan
}


class OperationCount:
    """Adds up what is called. A formula takes longer than most operations; calls of the same shapes share one.

    Attributes:
        total: operations of matrix products, convolutions and attention so far.
    """

    def __init__(self) -> None:
        self.total = 0
        self._known: dict[tuple[Any, ...], int] = {}

    def add(self, func: Any, args: Sequence[Any], kwargs: Mapping[str, Any], result: Any) -> None:
        """Count one call of the operator `func`, which has returned `result`."""
        formula = flop_registry.get(func._overloadpacket) or OTHERS.get(func._schema.name)
        if formula is None:
            return
        key = (func, *map(_shape, args), *((name, _shape(value)) for name, value in kwargs.items()))
        if key not in self._known:
            self._known[key] = formula(*args, **kwargs, out_val=result)
        self.total += self._known[key]


def _shape(value: Any) -> Any:
    return value.shape if isinstance(value, Tensor) else repr(value)
