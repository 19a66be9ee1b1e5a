"""What a machine is, as JSON: `python -m scripts.publishing.machine`.

A process of its own: whoever asks CUDA holds some of the GPU's memory until its end, and the measurements want all.
"""

import json
from dataclasses import asdict
from typing import Any

import torch

from bench.cli.doctor import examine
from bench.metering.environment import environment


def machine() -> dict[str, Any]:
    """What `bench doctor` finds, what every record says of its environment, and the GPUs with their bytes of memory."""
    devices = range(torch.cuda.device_count()) if torch.cuda.is_available() else ()
    properties = [torch.cuda.get_device_properties(index) for index in devices]
    return {
        "doctor": [asdict(finding) for finding in examine()],
        "environment": environment(torch.device("cuda" if properties else "cpu")),
        "gpus": [{"name": one.name, "memory": one.total_memory} for one in properties],
    }


if __name__ == "__main__":
    print(json.dumps(machine()))
