"""How long a worker stands idle between two cells: from the end of one cell to the start of the next, by their records.

    python scripts/measure_sweep.py [CELLS]

Runs a sweep of CELLS (default 8) tiny cells, one at a time, in a temporary folder. A new Python process would take the
time that its imports take; that is measured too. Prints a ratio: the new process over the fork server's worker.
"""

import itertools
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from statistics import median

from bench.records.store import read_records

IMPORTS = "import bench.sweeping.launchers.preload, bench.running.attempt, peft"


def main() -> None:
    """Measure and print."""
    cells = int(sys.argv[1]) if len(sys.argv) > 1 else 8
    with tempfile.TemporaryDirectory() as folder:
        seeds = ",".join(str(seed) for seed in range(cells))
        command = [sys.executable, "-m", "bench", "run", "-m", f"seed={seeds}", f"results_dir={folder}", "workers=1",
                   "training.max_steps=2", "data.limit_train=32", "data.limit_evaluation=8"]  # fmt: skip
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        times = sorted(
            (datetime.fromisoformat(record.environment["start"]), datetime.fromisoformat(record.environment["end"]))
            for record in read_records(folder, "runs")
        )
    gaps = [(start - end).total_seconds() for (_, end), (start, _) in itertools.pairwise(times)]
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", IMPORTS], check=True)
    fresh = time.perf_counter() - begin
    print("seconds between two cells, in order: " + " ".join(f"{gap:.3f}" for gap in gaps))
    print(f"{len(gaps)} times between two cells: median {median(gaps):.3f} s, longest {max(gaps):.3f} s")
    print(f"imports in a new process: {fresh:.1f} s")
    print(f"ratio: {fresh / median(gaps):.2f}")


if __name__ == "__main__":
    main()
