"""Tensors that are spread over several processes (FSDP), and the whole ones that they stand for."""

from torch import Tensor, nn


def whole(tensor: Tensor) -> Tensor:
    """The whole tensor. Where it is spread, every process has to ask for it at the same time; else it is the same."""
    gather = getattr(tensor, "full_tensor", None)
    return tensor if gather is None else gather()


def like(parameter: nn.Parameter, tensor: Tensor) -> Tensor:
    """The part of the whole `tensor` that this process keeps of `parameter`; all of it where nothing is spread."""
    if not hasattr(parameter, "full_tensor"):
        return tensor
    from torch.distributed.tensor import DTensor, distribute_tensor

    assert isinstance(parameter, DTensor)
    # `src_data_rank=None`: every process has the whole tensor, so none needs to be sent any.
    return distribute_tensor(
        tensor.to(parameter.device), parameter.device_mesh, parameter.placements, src_data_rank=None
    )
