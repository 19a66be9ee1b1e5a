"""Tensors that are spread over several processes (FSDP), and the whole ones that they stand for."""

from torch import Tensor


def whole(tensor: Tensor) -> Tensor:
    """The whole tensor. Where it is spread, every process has to ask for it at the same time; else it is the same."""
    gather = getattr(tensor, "full_tensor", None)
    return tensor if gather is None else gather()


def gathered(tensor: Tensor, keep: bool) -> Tensor:
    """The whole tensor, on the host, for those who `keep` it; the others only help, and get an empty one.

    Where tensors are spread they are gathered on every GPU first, whether it keeps them or not. One after the other, so
    that no GPU ever holds more than one whole tensor: all of them are what it could not hold. Where nothing is spread,
    the tensor itself.
    """
    if not hasattr(tensor, "full_tensor"):
        return tensor
    full = whole(tensor)
    return full.to("cpu") if keep else full.new_empty(0, device="cpu")


def like(parameter: Tensor, tensor: Tensor) -> Tensor:
    """The part of the whole `tensor` that this process keeps of `parameter`; all of it where nothing is spread."""
    if not hasattr(parameter, "full_tensor"):
        return tensor
    from torch.distributed.tensor import DTensor, distribute_tensor

    assert isinstance(parameter, DTensor)
    # `src_data_rank=None`: every process has the whole tensor, so none needs to be sent any.
    return distribute_tensor(
        tensor.to(parameter.device), parameter.device_mesh, parameter.placements, src_data_rank=None
    )
