"""A sweep on one machine: every cell ends in a record, whatever happens to its process."""

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from bench.configuration.expansion import Expansion
from bench.records.owner import start_of
from bench.records.schema import Status
from bench.records.store import read_records
from bench.sweeping.launchers.pool import Pool
from tests.cells import SHORT
from tests.sweeping.launchers.processes import BUSY, ended, family, until
from tests.wrecks import write_wrecks


def sweep(folder: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "bench", "sweep", "experiment=miniature/glue", f"results_dir={folder / 'results'}",
            *SHORT, *arguments]  # fmt: skip


def statuses(folder: Path) -> dict[str, Status]:
    return {record.cell.id: record.status for record in read_records(folder / "results", "miniature/glue")}


def test_a_sweep_runs_what_is_not_done_and_nothing_twice(tmp_path, bench):
    command = sweep(tmp_path, "method=lora,bitfit", "task=miniature/sst2")
    first = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "2 cells, 0 done already, 2 to run" in first.stderr
    assert set(statuses(tmp_path).values()) == {Status.done}
    files = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("record.json")}
    assert len(files) == 2

    second = bench(*command[3:])
    assert "2 cells, 2 done already, 0 to run" in second.stderr
    assert files == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("record.json")}

    forced = [*command, "method=lora", "task=miniature/sst2", "force=true"]
    subprocess.run(forced, capture_output=True, text=True, check=True)
    assert [path.parent.name.split("-")[1:3] for path in tmp_path.rglob("attempt-1.json")] == [
        ["miniature_sst2", "lora"]
    ], "the earlier record is kept"


def test_a_dry_run_names_the_cells(tmp_path, bench):
    result = bench(*sweep(tmp_path, "dry_run=true", "method=lora")[3:])
    assert result.returncode == 0
    assert len(result.stdout.splitlines()) == 3
    assert not (tmp_path / "results").exists()


def test_a_cell_that_dies_or_hangs_harms_no_other(tmp_path, bench):
    write_wrecks(tmp_path)
    command = [sys.executable, "-m", "bench", "run", "-m", "--config-dir", str(tmp_path), "method=wreck",
               "method.how=hang,exit,segfault,raise,none", f"results_dir={tmp_path / 'results'}",
               "timeout=45", "workers=2", *SHORT]  # fmt: skip
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 1, result.stderr
    records = {r.cell.config["method"]["how"]: r for r in read_records(tmp_path / "results", "runs")}
    logs = {how: tmp_path / "results" / "runs" / record.cell.id / "log.txt" for how, record in records.items()}
    assert records["none"].status == Status.done
    assert records["none"].environment["sharing"] == 2
    assert records["exit"].error.message == "the process ended with exit code 7"
    assert records["segfault"].error.message == "the process was killed by SIGSEGV"
    assert "in apply" in logs["segfault"].read_text()
    assert records["raise"].error.message == "a bug in a method"
    assert "raise RuntimeError" in records["raise"].error.traceback
    assert records["hang"].error.type == "TimeoutError"
    assert records["hang"].error.message == "not finished after timeout=45 seconds"
    assert "in apply" in logs["hang"].read_text(), "the log tells where it hung"
    child = re.search(r"child (\d+)", logs["hang"].read_text())
    assert start_of(int(child[1])) is None, "what a cell has started ends with it"

    assert "4 of 5 cells failed:" in result.stderr
    for how in ("hang", "exit", "segfault", "raise"):
        assert f"log: {logs[how]}" in result.stderr

    again = bench(*command[3:], "only=failed", "dry_run=true")
    assert len(again.stdout.splitlines()) == 4
    assert "5 cells, 1 done already, 4 failed, 4 to run" in again.stderr


def test_interrupting_ends_the_workers(tmp_path):
    arguments = ("method=lora,bitfit", "training.max_steps=100000", "training.epochs=10000", "data.limit_train=null")
    process = subprocess.Popen(sweep(tmp_path, *arguments), start_new_session=True, stderr=subprocess.PIPE, text=True)
    until(lambda: len(claims(tmp_path)) >= 2)
    started = family(process.pid)
    assert {json.loads(claim.read_text())["pid"] for claim in claims(tmp_path)} <= set(started)
    begin = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert time.monotonic() - begin < 5 + BUSY
    assert process.returncode == 130
    assert "the same command goes on" in errors
    until(lambda: ended(started))


@pytest.mark.parametrize("sharing", [1, 3])
def test_workers_share_processors_and_gpus(sharing, monkeypatch):
    """Which GPU each slot gets, and how many cells share it, without any GPU."""
    given = []

    class Process:
        def __init__(self, target, args, name):
            given.append(args[0])

        def start(self):
            pass

    pool = Pool(2 * sharing, ["0", "GPU-1a"])
    monkeypatch.setattr(pool._context, "Process", Process)
    monkeypatch.setattr("bench.sweeping.launchers.pool.processors", lambda: 12)
    for _ in range(2 * sharing):
        pool.start(SimpleNamespace(id="cell"), "", Path("log"))
    assert [item.gpu for item in given] == ["0", "GPU-1a"] * sharing
    assert {item.sharing for item in given} == {sharing}
    assert pool.is_full


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], ["imports", "composing", "running"]),
        (["dry_run=true"], ["composing"]),
        (["method=lorra"], []),
    ],
)
def test_imports_of_workers_begin_while_the_cells_are_composed(given, expected, tmp_path, bench, monkeypatch):
    """And not for a mistake in a name, nor where nothing is to be run."""
    events = []

    class Composing(Expansion):
        def cells(self, overrides):
            events.append("composing")
            return super().cells(overrides)

    monkeypatch.setattr("bench.sweeping.selection.Expansion", Composing)
    monkeypatch.setattr("bench.sweeping.launchers.local.start_fork_server", lambda gpus: events.append("imports"))
    monkeypatch.setattr("bench.sweeping.launchers.local.run_cells", lambda *_: events.append("running") or [])
    bench("sweep", "experiment=miniature/glue", "method=lora", f"results_dir={tmp_path}", *given)
    assert events == expected


def claims(folder: Path) -> list[Path]:
    return list(folder.rglob("claim-*.json"))
