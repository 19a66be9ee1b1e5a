"""The state of every random generator that training may draw from: Python's, numpy's, torch's and the device's."""

import random
from typing import Any

import numpy as np
import torch
from torch import Tensor


def random_state(device: torch.device) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The states, as tensors by name and as plain values."""
    tensors = {"torch": torch.get_rng_state()}
    if device.type == "cuda":
        tensors["cuda"] = torch.cuda.get_rng_state(device)
    numpy: Any = np.random.get_state(legacy=False)
    numpy["state"] = {name: np.asarray(value).tolist() for name, value in numpy["state"].items()}
    version, numbers, gauss = random.getstate()
    return tensors, {"python": [version, list(numbers), gauss], "numpy": numpy}


def load_random_state(device: torch.device, tensors: dict[str, Tensor], plain: dict[str, Any]) -> None:
    """Put a `random_state` back; a GPU's only where there is one now and was one then."""
    torch.set_rng_state(tensors["torch"])
    if device.type == "cuda" and "cuda" in tensors:
        torch.cuda.set_rng_state(tensors["cuda"], device)
    numpy = dict(plain["numpy"])
    numpy["state"] = {**numpy["state"], "key": np.array(numpy["state"]["key"], dtype=np.uint32)}
    np.random.set_state(numpy)
    version, numbers, gauss = plain["python"]
    random.setstate((version, tuple(numbers), gauss))
