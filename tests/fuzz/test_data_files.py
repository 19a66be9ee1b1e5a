"""Data files with anything in them: rows are read, or refused in one line that names the file."""

import json

import pytest
from hypothesis import given, seed
from hypothesis import strategies as st

from bench.configuration.schema import DataConfig
from bench.data.source import locate
from bench.errors import UserError
from tests.fuzz.place import SEED, emptied, inputs
from tests.glue import GLUE

PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | st.just("\ud800") | st.just([1])
ROW = st.dictionaries(st.sampled_from(["sentence1", "sentence2", "label", "idx", "x"]), PLAIN, max_size=5)
GOOD = {"sentence1": "a", "sentence2": "b", "label": 1}
LINES = st.lists(ROW | st.just(GOOD), max_size=4).map(lambda rows: "\n".join(map(json.dumps, rows)).encode())


@seed(SEED)
@inputs(60)
@given(content=LINES | st.binary(max_size=40), suffix=st.sampled_from(["jsonl", "parquet"]))
def test_a_split(content, suffix, tmp_path):
    with emptied(tmp_path) as place:
        file = place / "data" / "nyu-mll" / "glue" / "rte" / f"train.{suffix}"
        file.parent.mkdir(parents=True)
        file.write_bytes(content)
        said = "rte"
        try:
            located = locate(GLUE["rte"], "train", DataConfig(root=str(place / "data"), any_size=True))
            assert located.rows().num_rows > 0
        except UserError as error:
            said = str(error)
        assert "rte" in said


def test_the_good_rows_are_read(tmp_path):
    file = tmp_path / "nyu-mll" / "glue" / "rte" / "train.jsonl"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(GOOD) + "\n")
    assert locate(GLUE["rte"], "train", DataConfig(root=str(tmp_path), any_size=True)).rows().num_rows == 1
    with pytest.raises(UserError):
        locate(GLUE["rte"], "validation", DataConfig(root=str(tmp_path), any_size=True))
