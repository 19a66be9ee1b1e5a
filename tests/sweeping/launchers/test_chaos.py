"""Sweeps and their workers are killed with SIGKILL at random moments, and started again until all is done.

`make test` runs a short one, `make test-chaos` a long one.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest
from safetensors import safe_open

from bench.records.schema import Status
from bench.records.store import read_record
from tests.sweeping.launchers.processes import ended, family, until

TASKS = ("miniature/sst2", "miniature/cola", "miniature/rte")
METHODS = ("lora", "bitfit", "adalora", "propelt_lora")
# So many steps that a cell takes seconds, and checkpoints all along.
LENGTH = ("training.max_steps=40", "training.epochs=3", "data.limit_train=480", "data.limit_evaluation=24",
          "training.batch_size=8", "checkpoint_seconds=0.2")  # fmt: skip


@pytest.mark.parametrize(
    ("tasks", "methods", "kills"), [(1, 2, 2), pytest.param(3, 4, 40, marks=pytest.mark.slow)], ids=["short", "long"]
)
def test_nothing_is_lost_or_done_twice(tmp_path, tasks, methods, kills):
    disturbed, undisturbed = tmp_path / "disturbed", tmp_path / "undisturbed"
    dice = random.Random(int(os.environ.get("CHAOS_SEED", "0")))
    victims: Counter[str] = Counter()
    seen: dict[int, str | None] = {}
    seeds = 1
    while sum(victims.values()) < kills:
        chosen = choice(tasks, methods, seeds)
        process = subprocess.Popen(command("sweep", disturbed, *chosen), stderr=subprocess.PIPE, text=True)
        seen |= disturb(process, dice, victims, kills)
        process.kill()
        process.communicate()
        if sum(done(disturbed)) == tasks * methods * seeds:
            seeds += 1  # a fast machine: there must be something left to kill
    chosen = choice(tasks, methods, seeds)
    sys.stdout.write(f"killed: {dict(victims)}; done meanwhile: {sum(done(disturbed))} of {tasks * methods * seeds}\n")
    final = subprocess.run(command("sweep", disturbed, *chosen), capture_output=True, text=True, check=False)
    assert final.returncode == 0, final.stderr
    subprocess.run(command("sweep", undisturbed, *chosen), capture_output=True, check=True)

    until(lambda: ended(seen))
    assert sum(done(disturbed)) == tasks * methods * seeds, "a lost cell"
    for cell in cells(disturbed):
        records = [read_record(path) for path in (cell / "record.json", *cell.glob("attempt-*.json"))]
        assert [r.status for r in records].count(Status.done) == 1, f"{cell.name} was run to the end twice"
    check_readable(disturbed)
    assert table(disturbed) == table(undisturbed)


def choice(tasks: int, methods: int, seeds: int) -> tuple[str, ...]:
    """The cells, as the sweep's command takes them."""
    return (f"task={','.join(TASKS[:tasks])}", f"method={','.join(METHODS[:methods])}",
            f"seed={','.join(map(str, range(seeds)))}")  # fmt: skip


def disturb(
    process: subprocess.Popen[str], dice: random.Random, victims: Counter[str], kills: int
) -> dict[int, str | None]:
    """Kill workers, and at last the sweep, or let it end; return all processes that were seen."""
    seen: dict[int, str | None] = {}
    while sum(victims.values()) < kills and process.poll() is None:
        time.sleep(dice.uniform(0.1, 2.5))
        # The workers have their own process groups; the sweep, its fork server and its resource tracker do not.
        seen |= (members := family(process.pid))
        workers = [pid for pid in members if own_group(pid) and pid != process.pid]
        if workers and dice.random() < 0.75:
            with suppress(ProcessLookupError):
                os.kill(dice.choice(workers), signal.SIGKILL)
                victims["worker"] += 1
        elif workers or dice.random() < 0.05:  # now and then one that is just starting
            process.kill()
            process.wait()
            victims["sweep"] += 1
    return seen


def own_group(pid: int) -> bool:
    try:
        return os.getpgid(pid) == pid
    except ProcessLookupError:
        return False


def command(name: str, folder: Path, *arguments: str) -> list[str]:
    settings = (*LENGTH, "workers=2") if name == "sweep" else ("format=csv", f"out={folder}/tables")
    return [sys.executable, "-m", "bench", name, "experiment=miniature/glue", f"results_dir={folder}",
            *settings, *arguments]  # fmt: skip


def cells(folder: Path) -> list[Path]:
    return sorted(path for path in (folder / "miniature" / "glue").glob("*") if path.is_dir())


def done(folder: Path) -> list[bool]:
    return [(cell / "record.json").exists() and read_record(cell / "record.json").status == Status.done
            for cell in cells(folder)]  # fmt: skip


def check_readable(folder: Path) -> None:
    """Every file that is not hidden is whole; hidden ones are what a killed process was writing."""
    for path in folder.rglob("*"):
        if path.suffix == ".json" and not path.name.startswith("."):
            json.loads(path.read_bytes())
        if path.suffix == ".safetensors" and not path.name.startswith("."):
            with safe_open(path, framework="pt") as file:
                assert len(file.keys())


def table(folder: Path) -> tuple[str, list[bytes]]:
    printed = subprocess.run(command("table", folder), capture_output=True, text=True, check=True).stdout
    # The wide one is the table; the long one has the records' times and memory too.
    written = [path.read_bytes() for path in sorted((folder / "tables").rglob("*.wide.csv"))]
    assert written
    return printed.replace(str(folder), ""), written
