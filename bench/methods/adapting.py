"""A model and a method put together: the method's own parameters and the task head are what is trained."""

from torch import nn

from bench.methods.base import Method, Setting
from bench.models.head import train_head


def adapt(model: nn.Module, method: Method, setting: Setting) -> nn.Module:
    """Apply a method, and let the task head be trained with it, unless the method is to train nothing at all.

    Args:
        model: bare; may be on the meta device, where one has to be the default device too.
        method: in its final size.
        setting: of the cell.
    """
    model = method.apply(model, setting)
    if method.trains_anything:
        train_head(model, setting.structure)
    return model
