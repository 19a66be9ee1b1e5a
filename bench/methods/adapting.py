"""A model and a method put together: the method's own parameters and the task head are what is trained."""

from collections.abc import Callable

from torch import nn

from bench.methods.base import Method, Setting
from bench.models.head import train_head
from bench.models.quantisation import dequantise, forget_quantisation


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


def unpacked(model: nn.Module, method: Method, setting: Setting, take_off: Callable[[], nn.Module]) -> nn.Module:
    """The trained model on a dequantised base: four bits could not hold what was trained, if it is to be merged.

    Args:
        model: adapted, on a quantised base.
        method: that adapted it.
        setting: of the cell.
        take_off: gives the base back, without what the method has put into it.
    """
    state = method.stored_state(model)
    forget_quantisation(model)
    anew = adapt(dequantise(take_off()), method, setting)
    method.load_stored_state(anew, state)
    return anew
