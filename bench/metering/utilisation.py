"""Achieved over peak operations per second, for devices whose peak is published."""

import re

import torch

from bench.configuration.schema import Precision

TERA = 10**12
# Dense tera-operations per second: (fp32 outside of tensor cores, bf16 in tensor cores; None: it has none). Plain
# fp32 matrix products do not use TF32 unless they are told to, and the harness does not tell them.
# From NVIDIA's data sheets of each product; RTX: "NVIDIA Ampere GA102" and "NVIDIA Ada" architecture white papers,
# appendix A, with accumulation in fp32. A800 and H800 compute as A100 and H100 do, with slower links.
PEAKS: dict[str, tuple[float, float | None]] = {
    "V100 PCIE": (14.0, None),
    "V100": (15.7, None),
    "T4": (8.1, None),
    "A100": (19.5, 312.0),
    "A800": (19.5, 312.0),
    "A10": (31.2, 125.0),
    "A40": (37.4, 149.7),
    "RTX A6000": (38.7, 154.8),
    "RTX 3090": (35.6, 71.0),
    "RTX 4090": (82.6, 165.2),
    "L4": (30.3, 121.0),
    "L40S": (91.6, 362.0),
    "H100 PCIE": (51.2, 756.0),
    "H100": (66.9, 989.4),
    "H800": (66.9, 989.4),
    "H200": (66.9, 989.4),
}

# Of the same name, with other figures; MIG is a slice of a GPU, whose peak is a part of the whole one's.
OTHER_MODELS = {"TI", "SUPER", "LAPTOP", "D", "NVL", "MAX", "MIG"}


def utilisation(flops_per_second: float, device: torch.device, precision: Precision) -> float | None:
    """The share of the device's peak in the precision of a cell; None for processors and unknown devices."""
    if device.type != "cuda":
        return None
    peak = peak_of(torch.cuda.get_device_name(device), precision)
    return None if peak is None else flops_per_second / peak


def peak_of(name: str, precision: Precision) -> float | None:
    """Operations per second of the device that the driver calls `name`, such as "NVIDIA A100-SXM4-80GB"."""
    words = set(re.split("[^A-Z0-9]+", name.upper()))
    if words & OTHER_MODELS:
        return None
    found = [product.split() for product in PEAKS if words.issuperset(product.split())]
    if not found:
        return None
    longest: list[str] = max(found, key=len)
    single, brain = PEAKS[" ".join(longest)]
    peak = brain if precision == Precision.bf16 else single
    return None if peak is None else peak * TERA
