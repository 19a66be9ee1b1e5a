"""The record of a cell, at a glance; and what lies in its folder without being of it."""

import json
import shutil

import pytest

from bench.records.glance import look
from bench.records.schema import CellIdentity, Failure, Record, RecordError, Status
from bench.records.store import FILE, folder_of, write_record
from bench.system.terminal import forget_warnings


@pytest.fixture(autouse=True)
def nothing_was_said():
    forget_warnings()


def record_of(cell, status=Status.done):
    error = None if status == Status.done else Failure("ValueError", "no", "…", "train")
    return Record(CellIdentity.of(cell), status, {"host": "here"}, error)


@pytest.fixture
def cell(compose):
    return compose("model=encoder", "model.path=/nowhere", "method=lora")


@pytest.fixture
def folder(cell):
    return folder_of(cell.config["results_dir"], cell)


@pytest.mark.parametrize("status", Status)
def test_it_is_what_was_written(cell, folder, status):
    write_record(record_of(cell, status), folder)
    assert look(folder, cell).status == status


def test_a_record_laid_out_in_another_way(cell, folder):
    path = write_record(record_of(cell, Status.failed), folder)
    path.write_text(json.dumps(json.loads(path.read_text())))
    assert look(folder, cell).status == Status.failed


def test_none(cell, folder):
    assert look(folder, cell) is None


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_record_that_was_cut_off_is_refused(cell, folder, share):
    path = write_record(record_of(cell), folder)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(RecordError, match=FILE):
        look(folder, cell)


def test_a_record_under_another_title_is_still_the_cells(compose, cell, folder):
    write_record(record_of(cell), folder)
    called = compose("model=encoder", "model.path=/nowhere", "method=lora", "method.title=Ours")
    assert look(folder, called).status == Status.done


def test_the_record_of_another_cell_is_told_and_not_used(compose, cell, folder, capsys):
    other = compose("model=encoder", "model.path=/nowhere", "method=lora", "training.learning_rate=0.5")
    source = folder_of(other.config["results_dir"], other)
    path = write_record(record_of(other), source)

    shutil.copytree(source, folder)
    assert look(folder, cell) is None
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert f"{folder / FILE}: it is of {other.id}, and lies in another folder" in said

    forget_warnings()
    renamed = json.loads(path.read_text())
    renamed["cell"] |= {"id": cell.id, "config_hash": cell.config_hash}
    (folder / FILE).write_text(json.dumps(renamed))
    assert look(folder, cell) is None
    assert f"{folder / FILE}: the settings in it are not those of {cell.id}" in capsys.readouterr().err
