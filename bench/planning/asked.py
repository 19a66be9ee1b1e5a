"""What a plan is asked for; free of torch, so that it is known before the heavy libraries are."""

import re
from enum import StrEnum

from bench.errors import UserError

UNITS = {f"{prefix}B": 1000**power for power, prefix in enumerate(("", "K", "M", "G", "T"))}
UNITS |= {f"{prefix}IB": 1024**power for power, prefix in enumerate("KMGT", 1)}


class Trace(StrEnum):
    """What a prediction follows: blocks that are alike once, or every block."""

    blocks = "blocks"
    full = "full"


def bytes_of(text: str, key: str = "device_memory") -> int:
    """Read a size that stands behind `key`: 80GiB, 80GB, 500MiB, or plain bytes.

    Raises:
        UserError: it is none.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*((?:[KMGT]I?)?B)?", text.strip().upper())
    size = int(float(match[1]) * UNITS[match[2] or "B"]) if match else 0
    if size <= 0:
        raise UserError(f"{key}={text} is no size; write it as 80GiB or 80GB")
    return size
