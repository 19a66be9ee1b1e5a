"""Seconds and peak memory of a table made from many synthetic records.

    python scripts/measure_tables.py [--records 100000] [--bytes 20000] [--folder DIR]

Prints the size of the records, the seconds from a cold interpreter to a written table (CSV, LaTeX, Markdown), and
the largest sum of the resident sets of that process and its workers. With --folder the records are kept and used
again.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

METHODS = ["full", "adapter_s", "prompt_tuning", "prefix_tuning", "ia3", "bitfit", "lora", "adalora", "mam", "qlora"]
TASKS = {
    "glue/cola": ["matthews_correlation"], "glue/sst2": ["accuracy"], "glue/mrpc": ["accuracy", "f1"],
    "glue/stsb": ["pearson", "spearman"], "glue/qqp": ["accuracy", "f1"],
    "glue/mnli": ["accuracy", "accuracy_mismatched"], "glue/qnli": ["accuracy"], "glue/rte": ["accuracy"],
}  # fmt: skip
TABLE = """
from bench.tables import make_table, write
table = make_table({folder!r}, "survey/glue", "glue")
for kind in ("csv", "latex", "markdown"):
    write(table, kind, {out!r})
print(len(table.records.cells))
"""


def main() -> None:
    """Make the records if need be, time the table, print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--bytes", type=int, default=20_000, help="size of one record")
    parser.add_argument("--folder", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.folder or Path(scratch)
        if not (folder / "survey").exists():
            make_records(folder, arguments.records, arguments.bytes)
        command = [sys.executable, "-c", TABLE.format(folder=str(folder), out=str(Path(scratch) / "out"))]
        begin = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        peak = watch(process)
        seconds = time.perf_counter() - begin
        assert process.stdout is not None
        print(f"cells: {process.stdout.read().strip()}  exit code: {process.returncode}")
        print(f"seconds: {seconds:.2f}  peak memory: {peak / 1e6:.0f} MB")


def watch(process: subprocess.Popen[str]) -> int:
    """The largest sum of the resident sets of a process and its children in bytes, looked at 20 times a second."""
    peak = 0
    while process.poll() is None:
        peak = max(peak, sum(resident(pid) for pid in family(process.pid)))
        time.sleep(0.05)
    return peak


def family(pid: int) -> list[int]:
    """A process and all below it."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return [pid]
    return [pid, *(below for child in children for below in family(int(child)))]


def resident(pid: int) -> int:
    """The resident set of a process in bytes; 0 once it is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def make_records(folder: Path, count: int, size: int) -> None:
    """Write `count` records of about `size` bytes each: models × tasks × methods × as many seeds as that takes."""
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from tests.tables.made_records import identified, make_record

    number = 0
    seed = 0
    while number < count:
        for model in ("roberta_base", "roberta_large"):
            for task, metrics in TASKS.items():
                for method in METHODS:
                    if number == count:
                        return
                    scores = dict.fromkeys(metrics, number * 7919 % 1000 / 1000)
                    made = make_record(
                        model, task, method, seed, scores, experiment="survey/glue", curve=[(s, 0.5) for s in range(10)]
                    )
                    record: dict[str, Any] = identified(made).to_dict()
                    text = json.dumps(record, indent=1)
                    losses = max(0, (size - len(text)) // 67)  # indented as the store does it
                    record["metrics"]["losses"] = [{"step": i, "loss": 1.234567890123 / (i + 1)} for i in range(losses)]
                    at = folder / "survey" / "glue" / record["cell"]["id"]
                    at.mkdir(parents=True)
                    (at / "record.json").write_text(json.dumps(record, indent=1))
                    number += 1
        seed += 1


if __name__ == "__main__":
    main()
