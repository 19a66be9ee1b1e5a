"""Symbolic links in a results folder: nothing is written to, or deleted, where they lead."""

import pytest
import torch

from bench.errors import UserError
from bench.records.schema import Status
from bench.records.store import FILE, make_folder, write_record
from bench.records.trained import Trained, write_trained
from bench.running.attempt import run_in_sweep
from bench.tables import make_table, write
from bench.training.checkpoint import FOLDER, Checkpoints, Content, remove_checkpoints
from tests.records.test_store import record
from tests.tables.made_records import make_record, save

CONTENT = Content(3, {"a": torch.ones(2)}, {})


@pytest.fixture
def precious(tmp_path):
    """Somebody's files, under names like ours and others."""
    folder = tmp_path / "precious"
    folder.mkdir()
    for name in ("thesis.tex", "step-900.safetensors", "step-900.json", FILE, "log.txt"):
        (folder / name).write_text("years of work")
    yield folder
    assert {path.read_text() for path in folder.iterdir()} == {"years of work"}
    assert len([*folder.iterdir()]) == 5


def test_a_folder_of_checkpoints_that_is_a_link(tmp_path, precious):
    (tmp_path / FOLDER).symlink_to(precious)
    checkpoints = Checkpoints(tmp_path, "x", 0)
    assert checkpoints.latest() is None
    assert not checkpoints.write(CONTENT)
    assert "is a link" in checkpoints.notes[-1]
    remove_checkpoints(tmp_path)


def test_a_checkpoint_that_is_a_link(tmp_path, precious):
    (tmp_path / FOLDER).mkdir()
    for name in ("step-3.safetensors", "step-3.json", "step-1.json"):
        (tmp_path / FOLDER / name).symlink_to(precious / "thesis.tex")
    checkpoints = Checkpoints(tmp_path, "x", 0)
    assert checkpoints.latest() is None
    assert checkpoints.write(CONTENT)
    assert checkpoints.latest().step == 3
    remove_checkpoints(tmp_path)
    assert not (tmp_path / FOLDER).exists()


def test_files_that_are_no_checkpoints_are_left_alone(tmp_path):
    folder = tmp_path / FOLDER
    (folder / "notes").mkdir(parents=True)
    for name in ("thesis.tex", "step-x.json", "step-².json"):
        (folder / name).write_text("years of work")
    checkpoints = Checkpoints(tmp_path, "x", 0)
    assert checkpoints.write(CONTENT)
    assert checkpoints.latest().step == 3
    remove_checkpoints(tmp_path)
    assert sorted(path.name for path in folder.iterdir()) == ["notes", "step-x.json", "step-².json", "thesis.tex"]


@pytest.mark.parametrize("name", [FILE, "log.txt", "checkpoint", "claim-1.json", "trained"])
def test_a_cell_whose_folder_holds_a_link_is_refused(tmp_path, precious, name):
    folder = tmp_path / "results" / "e" / "cell"
    folder.mkdir(parents=True)
    (folder / name).symlink_to(precious / "log.txt")
    with pytest.raises(UserError, match=f"cell/{name} is a link"):
        make_folder(folder, tmp_path / "results")


@pytest.mark.parametrize("at", ["e", "e/cell"])
def test_a_folder_that_is_a_link_out_of_the_results_is_refused(tmp_path, precious, at):
    link = tmp_path / "results" / at
    link.parent.mkdir(parents=True)
    link.symlink_to(precious)
    with pytest.raises(UserError, match="a link leads out of the results folder"):
        make_folder(tmp_path / "results" / "e" / "cell", tmp_path / "results")


def test_a_results_folder_that_is_a_link_is_the_users_own_choice(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "results").symlink_to(tmp_path / "disk")
    make_folder(tmp_path / "results" / "e" / "cell", tmp_path / "results")
    assert (tmp_path / "disk" / "e" / "cell").is_dir()


def test_a_sweep_goes_on_without_such_a_cell(tmp_path, precious, compose):
    cell = compose("model=miniature/roberta", "task=miniature/sst2", "method=lora", f"results_dir={tmp_path}/results")
    link = tmp_path / "results" / cell.experiment / cell.id
    link.parent.mkdir(parents=True)
    link.symlink_to(precious)
    made = run_in_sweep(cell)
    assert made.status == Status.failed
    assert "a link leads out" in made.error.message


def test_records_and_weights_replace_links(tmp_path, precious):
    folder = tmp_path / "cell"
    folder.mkdir()
    for name in (FILE, "attempt-1.json", ".trained", "trained"):
        (folder / name).symlink_to(precious / "thesis.tex")
    (folder / FILE).unlink()
    write_record(record(Status.failed), folder)
    write_record(record(Status.done), folder)
    assert (folder / "attempt-2.json").exists(), "a name that is taken is not given again"
    assert write_trained(folder, Trained({"a": torch.ones(2)}), True, "0" * 64)


def test_tables_replace_links(tmp_path, precious):
    save(tmp_path / "results", make_record())
    table, out = make_table(str(tmp_path / "results"), "miniature/glue"), tmp_path / "out"
    out.mkdir()
    names = [path.name for path in write(table, "all", tmp_path / "probe")]
    for name in names:
        (out / name).symlink_to(precious / "thesis.tex")
    write(table, "all", out)
    assert not any((out / name).is_symlink() for name in names)
