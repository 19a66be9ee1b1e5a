"""How records are kept."""

import json
import math

import pytest

from bench.errors import UserError
from bench.records.schema import CellIdentity, Failure, Metrics, Record, RecordError, Status
from bench.records.store import FILE, is_done, read_record, read_records, write_atomically, write_record


def record(status=Status.done, score=0.5):
    error = None if status == Status.done else Failure("ValueError", "no", "…", "train")
    cell = CellIdentity("m-t-lora-s0-00000000", "e", "m", "t", "lora", 0, {"a": 1}, "0" * 64)
    return Record(cell, status, {"host": "here"}, error, Metrics("accuracy", {"accuracy": score}))


def test_what_is_written_is_read_back(tmp_path):
    path = write_record(record(), tmp_path / "cell")
    assert read_record(path) == record()
    assert path.name == FILE
    assert is_done(tmp_path / "cell")


def test_numbers_that_json_lacks_become_null(tmp_path):
    path = write_record(record(score=math.nan), tmp_path)
    assert json.loads(path.read_text())["metrics"]["values"]["accuracy"] is None


def test_a_finished_record_is_never_replaced_by_a_failed_one(tmp_path):
    write_record(record(), tmp_path)
    path = write_record(record(Status.failed), tmp_path)
    assert path.name == "attempt-1.json"
    assert is_done(tmp_path)


def test_earlier_attempts_are_kept(tmp_path):
    for status in (Status.failed, Status.out_of_memory, Status.done):
        write_record(record(status), tmp_path)
    assert read_record(tmp_path / "attempt-1.json").status == Status.failed
    assert read_record(tmp_path / "attempt-2.json").status == Status.out_of_memory
    assert read_record(tmp_path / FILE).status == Status.done


def test_a_failed_cell_is_not_done(tmp_path):
    write_record(record(Status.failed), tmp_path)
    assert not is_done(tmp_path)
    assert not is_done(tmp_path / "nowhere")


def test_a_failure_while_writing_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    path = tmp_path / FILE
    write_atomically(path, b"old")
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == [FILE]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "Expecting value"),
        ("[]", "schema_version is missing"),
        ('{"schema_version": 3}', "newer than the 2 known here"),
        ('{"schema_version": 1, "status": "done"}', "not a record"),
    ],
)
def test_a_damaged_record_is_refused_with_its_name(tmp_path, text, reason):
    path = tmp_path / "e" / "cell" / FILE
    path.parent.mkdir(parents=True)
    path.write_text(text)
    with pytest.raises(RecordError, match=reason) as error:
        list(read_records(tmp_path, "e"))
    assert str(path) in str(error.value)


def test_an_unreadable_folder_is_a_users_error(tmp_path):
    (tmp_path / "results").write_text("a file")
    with pytest.raises(UserError, match="cannot read the results folder"):
        list(read_records(tmp_path / "results", "e"))


def test_no_records_are_no_error(tmp_path):
    assert list(read_records(tmp_path, "never-run")) == []
