"""What a record says of its cell's making, against what lies there now."""

import json

import numpy as np
import pytest

from bench.identity.data import read_files, read_revision, reading
from bench.identity.fingerprints import compare, deciding, fingerprints_of
from tests.identity.test_model import SMALL, checkpoint


@pytest.fixture
def made(tmp_path):
    """A cell's configuration, and the fingerprints that its record would have."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "my_method.py").write_text("x = 1")
    rows = tmp_path / "data" / "owner" / "set"
    rows.mkdir(parents=True)
    (rows / "train.jsonl").write_text("{}")
    (rows / "validation.jsonl").write_text("{}")
    config = {
        "model": checkpoint(tmp_path / "model", [SMALL]),
        "task": {"name": "t"},
        "method": {"name": "m", "_target_": "my_method.Mine"},
        "data": {"root": str(tmp_path / "data"), "synthetic": False},
    }
    (tmp_path / "model" / "tokenizer.json").write_text("{}")
    return config, tmp_path


def fingerprints(made, monkeypatch):
    config, folder = made
    monkeypatch.syspath_prepend(str(folder / "mine"))
    found = fingerprints_of(config)
    with reading() as read:
        for split in ("train", "validation"):
            root = folder / "data"
            read_files("owner/set", split, root, [root / "owner" / "set" / f"{split}.jsonl"])
    return found | {"data": read}


CHANGES = {
    "the weights": lambda here: checkpoint(here / "model", [SMALL | {"b.bias": np.ones(2, np.float32)}]),
    "the model's configuration": lambda here: checkpoint(here / "model", [SMALL], hidden_act="relu"),
    "the tokenizer": lambda here: (here / "model" / "tokenizer.json").write_text('{"a": 1}'),
    "the data": lambda here: (here / "data" / "owner" / "set" / "validation.jsonl").write_text('{"a": 1}'),
    "the code of my_method.Mine": lambda here: (here / "mine" / "my_method.py").write_text("x = 2"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_what_has_changed_is_named_and_nothing_else(made, monkeypatch, what):
    recorded = json.loads(json.dumps(fingerprints(made, monkeypatch)))
    assert compare(recorded, made[0]).changed == ()
    CHANGES[what](made[1])
    assert compare(recorded, made[0]).changed == (what,)


def test_a_file_that_would_be_read_instead_is_a_change_of_the_data(made, monkeypatch):
    recorded = fingerprints(made, monkeypatch)
    (made[1] / "data" / "owner" / "set" / "train-00000-of-00001.parquet").write_text("")
    assert compare(recorded, made[0]).changed == ("the data",)


def test_what_is_not_here_is_neither_changed_nor_vouched_for(made, monkeypatch):
    recorded = fingerprints(made, monkeypatch)
    for name in ("model", "data"):
        (made[1] / name).rename(made[1] / f"{name} elsewhere")
    found = compare(recorded, made[0])
    assert found.changed == ()
    assert set(found.unseen) == {"the weights", "the model's configuration", "the tokenizer", "the data"}


def test_the_hubs_data_are_compared_among_records_only(made, monkeypatch):
    recorded = fingerprints(made, monkeypatch)
    with reading() as read:
        read_revision("owner/set", "train", "c0ffee")
    assert compare(recorded | {"data": read}, made[0]).changed == ()
    assert deciding(recorded | {"data": read})["data"] == {"owner/set/train": "c0ffee"}


@pytest.mark.parametrize("recorded", [{}, {"libraries": {"torch": "1"}}, {"data": 5, "classes": [], "weights": 3}])
def test_a_record_that_says_nothing_is_unknown(made, recorded):
    assert compare(recorded, made[0]) == compare({}, made[0])
    assert not compare(recorded, made[0]).is_known


def test_other_libraries_make_nothing_stale(made, monkeypatch):
    recorded = fingerprints(made, monkeypatch)
    other = recorded | {"libraries": {"torch": "0.1"}}
    assert compare(other, made[0]).changed == ()
    assert deciding(other) == deciding(recorded)
