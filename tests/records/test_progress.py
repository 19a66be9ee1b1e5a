"""A running cell says how far it is, in a file that is gone when it ends."""

import json
import math
from pathlib import Path
from types import SimpleNamespace

import pytest

from bench.records import progress
from bench.records.progress import FILE, LOSSES, progress_of, told

CELL = SimpleNamespace(model="m", task="t", method="lora", seed=3)


def test_it_is_written_and_removed(tmp_path, monkeypatch):
    monkeypatch.setattr(progress, "SECONDS", 0.0)
    heard = []
    with told(CELL, tmp_path, lambda *where: heard.append(where)) as report:
        report("load", 0, 1, None)
        assert progress_of(tmp_path).phase == "load"
        for step in range(1, LOSSES + 10):
            report("train", step, 99, 1 / step)
        found = progress_of(tmp_path)
        assert (found.method, found.seed, found.step, found.total) == ("lora", 3, LOSSES + 9, 99)
        assert len(found.losses) == LOSSES
        assert found.losses[-1] == found.loss == heard[-1][3]
        report("train", 98, 99, math.nan)
        assert progress_of(tmp_path).loss is None, "no number is null"
    assert [*tmp_path.iterdir()] == []


def test_it_is_written_now_and_then(tmp_path):
    with told(CELL, tmp_path, lambda *_: None) as report:
        report("train", 1, 99, 1.0)
        for step in range(2, 50):
            report("train", step, 99, 1.0)
        assert progress_of(tmp_path).step == 1
        report("evaluate", 99, 99, None)
        assert progress_of(tmp_path).phase == "evaluate"


def test_a_cell_goes_on_where_it_cannot_be_written(tmp_path):
    with told(CELL, Path("/dev/null"), lambda *_: None) as report:
        report("train", 1, 99, 1.0)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"model": 1}', json.dumps({"model": "m"}), "[" * 99_999])
def test_what_cannot_be_read_says_nothing(tmp_path, text):
    (tmp_path / FILE).write_text(text)
    assert progress_of(tmp_path) is None
