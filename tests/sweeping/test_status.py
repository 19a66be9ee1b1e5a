"""Where the cells of an experiment stand."""

import json
from pathlib import Path

import pytest

from bench.records.claims import claimed
from bench.records.crash import crash_record, refused_record
from bench.records.schema import CellIdentity, Metrics, Record, Status
from bench.records.store import folder_of, write_record
from tests.records.test_claims import write_claim

METHODS = ("full", "lora", "ia3", "bitfit", "adalora", "qlora", "mam", "adapter_s")
ARGUMENTS = ("experiment=miniature/glue", "task=miniature/sst2", f"method={','.join(METHODS)}")


def test_every_kind_of_cell_is_counted_and_named(bench, compose, tmp_path):
    cells = {
        method: compose("experiment=miniature/glue", "task=miniature/sst2", f"method={method}") for method in METHODS
    }
    folders = {method: folder_of(tmp_path / "results", cell) for method, cell in cells.items()}
    done = Record(CellIdentity.of(cells["full"]), Status.done, {}, metrics=Metrics("accuracy", {"accuracy": 1.0}))
    write_record(done, folders["full"])
    write_record(crash_record(cells["lora"], -9), folders["lora"])
    (folders["lora"] / "log.txt").write_text("what it printed")
    refused = refused_record(cells["ia3"], ValueError("one line\nand another"))
    write_record(refused, folders["ia3"])
    for method in ("bitfit", "adalora", "qlora", "mam"):
        folders[method].mkdir(parents=True)
    write_claim(folders["bitfit"], host="node7", machine="another", pid=77, age=20)
    write_claim(folders["adalora"], started="dead")
    (folders["qlora"] / "record.json").write_text("{")

    with claimed(folders["mam"]):
        text, result = bench("status", *ARGUMENTS), bench("status", *ARGUMENTS, "format=json")
    assert result.returncode == text.returncode == 0, result.stderr + text.stderr
    (found,) = json.loads(result.stdout)["experiments"]
    assert found["experiment"] == "miniature/glue"
    assert found["cells"] == 8
    counts = {"done": 1, "failed": 2, "running": 2, "interrupted": 1, "unreadable": 1, "not started": 1}
    assert found["counts"] == counts
    elsewhere, here = sorted(found["running"], key=lambda one: one["cell"] != cells["bitfit"].id)
    assert (elsewhere["host"], elsewhere["pid"]) == ("node7", 77)
    assert 20 <= elsewhere["last_sign_of_life"] < 200
    assert here["cell"] == cells["mam"].id
    assert here["seconds"] >= 0
    failures = {failure["cell"]: failure for failure in found["failures"]}
    assert failures[cells["lora"].id]["error"] == "ProcessDied: the process was killed by SIGKILL"
    assert failures[cells["lora"].id]["log"].endswith("log.txt")
    assert failures[cells["ia3"].id]["error"] == "ValueError: one line"
    assert failures[cells["qlora"].id]["status"] == "unreadable"

    first, *others = text.stdout.splitlines()
    assert first == ("miniature/glue: 8 cells, 1 done, 2 failed, 1 unreadable, 2 running, 1 interrupted, 1 not started")
    assert any(cells["bitfit"].id in line and "process 77 on node7" in line for line in others)
    assert any(cells["lora"].id in line and "killed by SIGKILL" in line for line in others)


def test_nothing_was_run_yet(bench, tmp_path):
    (tmp_path / "results").mkdir()
    result = bench("status", *ARGUMENTS)
    assert result.stdout == "miniature/glue: 8 cells, 8 not started\n"
    assert not [*(tmp_path / "results").iterdir()]


@pytest.mark.parametrize(("make", "why"), [(None, "no such folder"), (Path.touch, "not a folder")])
def test_a_results_folder_that_is_none_is_a_mistake(bench, tmp_path, make, why):
    if make is not None:
        make(tmp_path / "results")
    result = bench("status", *ARGUMENTS)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == f"bench: cannot read the results folder results: {why}\n"
