"""The stand-in's name in PyTorch: `torch.device("standin", 0)`, and `torch.standin`."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.utils.backend_registration import _DummyBackendModule, _setup_privateuseone_for_python_backend

from tests.device.events import watchers


class Backend(_DummyBackendModule):
    """What is found as `torch.standin`. Its random numbers are the host's."""

    _initialized = True  # checkpointing asks; else it would not keep the random state

    def device(self, index: Any) -> AbstractContextManager[None]:
        """There is but one."""
        return nullcontext()

    def get_rng_state(self, device: Any = 0) -> Tensor:
        """The host's."""
        return torch.get_rng_state()

    def set_rng_state(self, state: Tensor, device: Any = 0) -> None:
        """The host's."""
        torch.set_rng_state(state)

    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        """Checkpointing asks; nothing is run in them."""
        return [torch.bfloat16]

    def synchronize(self, device: Any = 0) -> None:
        """Counted."""
        for events in watchers():
            events.waits["synchronize"] += 1


_setup_privateuseone_for_python_backend("standin", backend_module=Backend())
DEVICE = torch.device("standin", 0)
# `Module.to` would give tied weights a tensor each: a wrapper is none of the classes whose data it exchanges.
torch.__future__.set_swap_module_params_on_conversion(True)
