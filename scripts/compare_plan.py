"""A plan with blocks that are alike followed once, in several processes, against one that follows every block in one.

Runs `bench plan` both ways, each in a process of its own, and prints where they differ most, in peaks, in their parts
(both as a share of the peak), in counts and in operations. The last line is the time of the latter over that of the
former.

    python scripts/compare_plan.py [experiment=survey/memory] [workers=2] [further settings of bench plan]
"""

import json
import subprocess
import sys
import time
from typing import Any


def planned(arguments: list[str]) -> tuple[list[dict[str, Any]], float]:
    """The cells of a plan, and the seconds that it took."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "bench", "plan", *arguments, "format=json"]
    out = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return json.loads(out.stdout)["cells"], time.perf_counter() - start


def main(arguments: list[str]) -> None:
    """Print the differences, the times and their ratio."""
    if not any(argument.startswith("experiment=") for argument in arguments):
        arguments = ["experiment=survey/memory", *arguments]
    short, seconds = planned(arguments)
    alone = [argument for argument in arguments if not argument.startswith("workers=")]
    full, full_seconds = planned([*alone, "trace=full", "workers=1"])
    peaks, parts, others = [], [], 0
    for ours, theirs in zip(short, full, strict=True):
        assert ours["id"] == theirs["id"]
        if ours["memory"] is None or theirs["memory"] is None:
            others += ours != theirs
            continue
        peak = theirs["memory"]["train_peak"]
        name = f"{ours['model']} {ours['task']} {ours['method']}"
        peaks.append((abs(ours["memory"]["train_peak"] - peak) / peak, name))
        own = ours["memory"]["parts"]
        parts.append((max(abs(own[key] - size) for key, size in theirs["memory"]["parts"].items()) / peak, name))
        others += any(ours[key] != theirs[key] for key in ("parameters", "flops_per_step"))
    for what, found in (("peak", peaks), ("part of a peak", parts)):
        share, name = max(found)
        print(f"largest difference of a {what}: {share:.6%} ({name})")
    print(f"{len(short)} cells, {others} of them with other counts, operations or reasons")
    print(f"full: {full_seconds:.1f} s; blocks: {seconds:.1f} s")
    print(f"ratio: {full_seconds / seconds:.2f}")


if __name__ == "__main__":
    main(sys.argv[1:])
