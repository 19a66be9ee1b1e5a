"""Stored predictions, read for paired tests."""

import json

import pytest

from bench.tables.content.predictions import Predictions, read_predictions


@pytest.mark.parametrize(
    ("references", "read"),
    [
        ([1, 0], Predictions([1, 0], ["x", "y"])),
        ([["law", 1], ["art", 0]], Predictions([1, 0], ["x", "y"], ["law", "art"])),
        ([["a", "b", "c"], "d"], Predictions([["a", "b", "c"], "d"], ["x", "y"])),
        ([["a", "b"], "d"], Predictions([["a", "b"], "d"], ["x", "y"])),
        (["d", ["a", "b"]], Predictions(["d", ["a", "b"]], ["x", "y"])),
    ],
    ids=["labels", "labels in groups", "three right texts", "two right texts", "two right texts later"],
)
def test_groups_are_told_from_several_right_texts(tmp_path, capsys, references, read):
    content = {"references": {"validation": references}, "predictions": {"validation": ["x", "y"]}}
    (tmp_path / "predictions.json").write_text(json.dumps(content))
    assert read_predictions(str(tmp_path / "record.json")) == read
    assert not capsys.readouterr().err
