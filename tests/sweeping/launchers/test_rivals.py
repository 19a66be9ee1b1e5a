"""Several sweeps at once over one results folder."""

import subprocess
import sys

from bench.records.claims import claimed, current_claim
from bench.records.schema import Status
from bench.records.store import read_records
from tests.cells import SHORT
from tests.sweeping.launchers.processes import BUSY, until


def sweep(folder, *arguments):
    return [sys.executable, "-m", "bench", "sweep", "experiment=miniature/glue", f"results_dir={folder}", "workers=2",
            "task=miniature/sst2", *SHORT, *arguments]  # fmt: skip


def test_two_sweeps_run_every_cell_once_and_both_report_all(tmp_path):
    methods = "method=lora,bitfit"
    sweeps = [subprocess.Popen(sweep(tmp_path, methods), stderr=subprocess.PIPE, text=True) for _ in range(2)]
    for process in sweeps:
        _, errors = process.communicate()
        assert process.returncode == 0, errors
        assert errors.count(" done miniature_roberta-") == 2, errors
    records = list(read_records(tmp_path, "miniature/glue"))
    assert [record.status for record in records] == [Status.done] * 2
    assert not list(tmp_path.rglob("attempt-*.json")), "a cell was run twice"


def test_a_cell_that_runs_elsewhere_is_waited_for_and_taken_over(tmp_path, bench):
    """Somebody holds one of two cells: the sweep runs the other, waits, and runs this one when it is given back."""
    named = bench(*sweep(tmp_path, "method=lora,bitfit", "dry_run=true")[3:]).stdout
    first = tmp_path / "miniature" / "glue" / named.split()[0]
    first.mkdir(parents=True)
    with claimed(first):
        process = subprocess.Popen(sweep(tmp_path, "method=lora,bitfit"), stderr=subprocess.PIPE, text=True)
        until(lambda: list(tmp_path.rglob("record.json")), 3 * BUSY)
        assert process.poll() is None, "it waits"
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    assert f"later: {first.name} is being run by process" in errors
    assert len(list(tmp_path.rglob("record.json"))) == 2
    assert current_claim(first).is_free


def test_one_cell_that_runs_elsewhere_is_refused_in_one_line(tmp_path, compose, bench):
    short = [f"results_dir={tmp_path}", *SHORT]
    cell = compose(*short)
    folder = tmp_path / "runs" / cell.id
    folder.mkdir(parents=True)
    with claimed(folder):
        result = bench("run", *short)
    assert result.returncode == 2
    assert result.stderr.startswith(f"bench: {cell.id} is being run by process")
    assert not list(tmp_path.rglob("record.json"))
