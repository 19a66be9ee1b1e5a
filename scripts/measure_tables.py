"""Seconds and peak memory of a table made from many synthetic records.

    python scripts/measure_tables.py [--records 100000] [--bytes 20000] [--folder DIR] [--formats csv] [--before DIR]

Prints for each of three calls the seconds from a fresh interpreter to a written table, those of all processors, and the
largest sum of the resident sets of that process and its workers: the first call, with none of the records in memory;
the second one; and one with what is kept of the records, their files again not in memory. With --before the same is
measured of another checkout first, and the ratios are printed. With --folder the records are made there unless they are
there, and stay.
"""

import argparse
import json
import os
import resource
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
for kind in {formats!r}:
    write(table, kind, {out!r})
print(len(table.records.cells))
"""
KEPT = ".columns.arrow"
FIRST, SECOND, KEPT_ALONE = "first, files not in memory", "second", "second, files not in memory"


def main() -> None:
    """Make the records if need be, time the calls, print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--bytes", type=int, default=20_000, help="size of one record")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--formats", default="csv,latex,markdown")
    parser.add_argument("--before", type=Path, metavar="DIR", help="another checkout, to compare with")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.folder or Path(scratch)
        if not (folder / "survey").exists():
            make_records(folder, arguments.records, arguments.bytes)
        os.sync()  # what is not written yet stays in memory
        program = TABLE.format(
            folder=str(folder.resolve()), out=str(Path(scratch) / "out"), formats=arguments.formats.split(",")
        )
        before = calls(program, folder, arguments.before) if arguments.before else {}
        for name, seconds in calls(program, folder, Path(__file__).parents[1]).items():
            if name in before:
                print(f"{name}: {before[name]:.2f} s before, {seconds:.2f} s after: {before[name] / seconds:.2f} times")


def calls(program: str, folder: Path, checkout: Path) -> dict[str, float]:
    """Seconds of each call of one checkout's code, which are printed with the memory and the machine's load."""
    found = {}
    for name in (FIRST, SECOND, KEPT_ALONE):
        if name == FIRST:
            for kept in folder.rglob(KEPT):
                kept.unlink()
        if name != SECOND:
            evict(folder)
        begin, spent = time.perf_counter(), processor_seconds()
        process = subprocess.Popen(
            [sys.executable, "-c", program],
            stdout=subprocess.PIPE,
            text=True,
            cwd=checkout,  # which Python looks into first
        )
        peak = watch(process)
        found[name] = time.perf_counter() - begin
        assert process.stdout is not None
        cells, load = process.stdout.read().strip(), os.getloadavg()[0]
        spent = processor_seconds() - spent
        said = [f"{found[name]:.2f} s", f"{spent:.2f} s of processors", f"{peak / 1e6:.0f} MB", f"{cells} cells"]
        print(f"{checkout}: {name}: {', '.join(said)}, load {load:.1f}")
    return found


def processor_seconds() -> float:
    """What the calls so far have taken of all processors, which a busy machine prolongs less than the time."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def evict(folder: Path) -> None:
    """Let the system forget what the files hold; it may still know where they are."""
    for path in folder.rglob("*"):
        if path.is_file():
            handle = os.open(path, os.O_RDONLY)
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(handle)


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
