"""What the fork server has in memory before any worker has its GPU."""

import subprocess
import sys


def test_neither_bitsandbytes_nor_cuda_is_there_before_a_worker_has_its_gpu():
    """bitsandbytes looks for a GPU once, when it is imported, and takes its CPU library where it sees none."""
    code = (
        "import sys, torch, bench.sweeping.launchers.preload, bench.running.foretell\n"
        "print([name for name in sys.modules if name.split('.')[0] in ('bitsandbytes', 'peft')])\n"
        "print(torch.cuda.is_initialized())"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.splitlines() == ["[]", "False"]
