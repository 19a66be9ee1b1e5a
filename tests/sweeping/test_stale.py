"""A finished cell counts for what it was made of. Where that has changed, the user is asked."""

import json
import shutil

import numpy as np
import pytest

from bench.cli.commands import run_command
from bench.identity.fingerprints import fingerprints_of
from bench.records.schema import CellIdentity, Metrics, Record, Status
from bench.records.store import FILE, folder_of, write_record
from bench.running.attempt import run_claimed
from tests.identity.test_model import SMALL, checkpoint

CHANGED = SMALL | {"b.bias": np.ones(2, np.float32)}


@pytest.fixture
def sweep(tmp_path, compose):
    """Two cells of a model, one of them finished; the words of a sweep over them."""
    checkpoint(tmp_path / "model", [SMALL])
    given = ["model=encoder", f"model.path={tmp_path / 'model'}", "task=glue/rte", "method=lora"]
    finish(compose(*given, "seed=0"))
    return ["sweep", "experiment=runs", *given, "seed=0,1", f"results_dir={tmp_path / 'results'}", "dry_run=true"]


def finish(cell, **changes):
    made = {"fingerprints": fingerprints_of(cell.config)} | changes
    record = Record(CellIdentity.of(cell), Status.done, {}, metrics=Metrics("accuracy", {"accuracy": 0.5}), **made)
    return write_record(record, folder_of(cell.config["results_dir"], cell))


def said(capsys, code, arguments):
    assert run_command(arguments) == code
    return capsys.readouterr()


def cell_names(tmp_path):
    return sorted(folder.name for folder in (tmp_path / "results" / "runs").iterdir())


def test_what_is_as_it_was_is_done(sweep, capsys):
    found = said(capsys, 0, sweep)
    assert "2 cells, 1 done already, 1 to run\n" in found.err
    assert found.out.count("\n") == 1


def test_a_stale_cell_is_neither_done_nor_run_until_the_user_says_so(sweep, capsys, tmp_path):
    checkpoint(tmp_path / "model", [CHANGED])
    (name,) = cell_names(tmp_path)
    found = said(capsys, 2, sweep)
    assert found.out == ""
    assert found.err.count("\n") == 1
    assert f"stale: the weights have changed since 1 cell was run, such as {name}" in found.err
    assert "rerun=stale" in found.err
    assert "rerun=none" in found.err

    found = said(capsys, 0, [*sweep, "rerun=none"])
    assert "2 cells, 0 done already, 1 stale, 1 to run" in found.err
    assert name not in found.out
    found = said(capsys, 0, [*sweep, "rerun=stale"])
    assert "2 cells, 0 done already, 1 stale, 2 to run" in found.err
    assert name in found.out
    assert said(capsys, 0, [*sweep, "only=stale"]).out == f"{name}\n"
    assert said(capsys, 0, [*sweep, "force=true"]).out.count("\n") == 2
    assert said(capsys, 0, [*sweep, "only=failed"]).out == ""
    assert "rerun" in said(capsys, 2, [*sweep, "rerun=all"]).err


def test_a_single_run_asks_too(sweep, capsys, tmp_path, monkeypatch):
    run = ["run", *(word for word in sweep[2:-1] if not word.startswith("seed"))]
    monkeypatch.setattr("bench.running.attempt.run_cell", lambda cell, report: cell.config["force"])
    assert "accuracy: 0.5" in said(capsys, 0, run).out
    checkpoint(tmp_path / "model", [CHANGED])
    assert "stale: the weights have changed since" in said(capsys, 2, run).err
    kept = said(capsys, 0, [*run, "rerun=none"])
    assert "accuracy: 0.5" in kept.out
    assert "stale: the weights have changed" in kept.err
    monkeypatch.setattr("bench.running.attempt.run_cell", lambda cell, report: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run_command([*run, "rerun=stale"])


def test_status_has_a_state_for_them(sweep, capsys, tmp_path):
    status = ["status", *sweep[1:-1]]
    checkpoint(tmp_path / "model", [CHANGED])
    (name,) = cell_names(tmp_path)
    first, *others = said(capsys, 0, status).out.splitlines()
    assert first == "runs: 2 cells, 1 stale, 1 not started"
    assert others == [f"  stale: the weights have changed since 1 cell was run, such as {name}"]
    (found,) = json.loads(said(capsys, 0, [*status, "format=json"]).out)["experiments"]
    assert found["counts"] == {"stale": 1, "not started": 1}
    assert found["stale"] == {name: ["the weights"]}


def test_what_a_record_does_not_say_is_unknown_and_said_once(sweep, capsys, compose):
    given = [word for word in sweep if word.startswith(("model", "task", "method"))]
    for seed in (0, 1):
        finish(compose(*given, f"seed={seed}"), fingerprints={})
    found = said(capsys, 0, sweep)
    assert "2 cells, 2 done already, 0 to run" in found.err
    assert found.err.count("of the finished cells 2 do not say what they were made of: unknown") == 1


def test_what_cannot_be_seen_from_here_counts_and_is_said(sweep, capsys, tmp_path):
    (tmp_path / "model").rename(tmp_path / "elsewhere")
    found = said(capsys, 0, sweep)
    assert "1 done already" in found.err
    assert "1 cannot be checked from here: the weights and the model's configuration" in found.err


def test_other_libraries_are_named_and_count(sweep, capsys, compose):
    cell = compose(*(word for word in sweep if word.startswith(("model", "task", "method"))))
    made = fingerprints_of(cell.config)
    finish(cell, fingerprints=made | {"libraries": made["libraries"] | {"peft": "0.1"}})
    found = said(capsys, 0, sweep)
    assert "1 done already" in found.err
    assert "1 was run with other libraries (peft 0.1, here " in found.err


def test_the_record_of_another_cell_is_no_record(sweep, capsys, tmp_path, compose, monkeypatch):
    given = [word for word in sweep if word.startswith(("model", "task", "method"))]
    (name,) = cell_names(tmp_path)
    other = compose(*given, "seed=1")
    folder = folder_of(other.config["results_dir"], other)
    shutil.copytree(folder.with_name(name), folder)
    record = json.loads((folder / FILE).read_text())
    record["cell"] |= {"id": other.id, "config_hash": other.config_hash, "seed": 1}
    (folder / FILE).write_text(json.dumps(record))

    found = said(capsys, 0, sweep)
    assert found.out == f"{other.id}\n"
    assert found.err.count(f"warning: {folder / FILE}") == 1
    status = said(capsys, 0, ["status", *sweep[1:-1]])
    assert status.out.startswith("runs: 2 cells, 1 done, 1 not started")
    monkeypatch.setattr("bench.running.attempt.run_cell", lambda cell, report: "it was run")
    assert run_claimed(other, planned=None) == "it was run"
