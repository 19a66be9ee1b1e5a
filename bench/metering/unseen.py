"""What kernels and autograd do otherwise, or unseen, when a dispatch mode looks on."""

from typing import Any

import torch
from torch import Tensor

aten = torch.ops.aten

ARITHMETIC = {aten.add, aten.sub, aten.mul, aten.div, aten.add_, aten.sub_, aten.mul_, aten.div_}


def converted_bytes(func: Any, args: Any, result: Any) -> int:
    """Bytes that a CPU's arithmetic makes and gives back: operands in the dtype that it computes in.

    A GPU converts number by number. See `TensorIteratorBase::compute_types`, aten/src/ATen/TensorIterator.cpp.
    """
    if func._overloadpacket not in ARITHMETIC or not _of_two_tensors(args) or args[0].dtype == args[1].dtype:
        return 0
    common = torch.result_type(args[0], args[1])
    converted = [tensor for tensor in (args[0], args[1], result) if tensor.dtype != common]
    return sum(tensor.numel() * common.itemsize for tensor in converted)


def may_reuse_first(func: Any, args: Any, result: Any) -> bool:
    """Whether an addition within the backward pass may be one of two gradients of the same tensor.

    If nothing else holds the first, autograd adds the second in its place, but not while a mode looks on: then it makes
    a third tensor (`accumulate` and `can_accumulate_inplace`, torch/csrc/autograd/input_buffer.cpp). A view is held by
    itself, it knows its base. Whether something else holds the first shows afterwards: it lives on.
    """
    if func is not aten.add.Tensor or not _of_two_tensors(args) or args[0]._is_view():
        return False
    first, second, storage = (tensor.untyped_storage() for tensor in (args[0], args[1], result))
    return bool(first.nbytes() == storage.nbytes() and first._cdata != second._cdata)


def _of_two_tensors(args: Any) -> bool:
    return len(args) == 2 and isinstance(args[0], Tensor) and isinstance(args[1], Tensor)
