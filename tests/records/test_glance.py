"""How a record ended, at a glance."""

import json

import pytest

from bench.records.glance import status_of
from bench.records.schema import RecordError, Status
from bench.records.store import FILE, write_record
from tests.records.test_store import record


@pytest.mark.parametrize("status", Status)
def test_it_is_what_the_record_says(tmp_path, status):
    write_record(record(status), tmp_path)
    assert status_of(tmp_path) == status


def test_text_that_looks_like_a_status_is_none(tmp_path):
    made = record(Status.failed)
    made.error.message = '\n "status": "done'
    made.environment = {"status": "done", "x": {"status": "done"}}
    write_record(made, tmp_path)
    assert status_of(tmp_path) == Status.failed


def test_a_record_laid_out_in_another_way(tmp_path):
    (tmp_path / FILE).write_text(json.dumps(record(Status.failed).to_dict()))
    assert status_of(tmp_path) == Status.failed


def test_none(tmp_path):
    assert status_of(tmp_path / "nowhere") is None


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_record_that_was_cut_off_is_refused(tmp_path, share):
    path = write_record(record(), tmp_path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(RecordError, match=FILE):
        status_of(tmp_path)
