"""YAML of a user's own with anything in it: tables are made, or refused in one line."""

import yaml
from hypothesis import given, seed
from hypothesis import strategies as st

from bench.errors import UserError
from bench.tables.definition.schema import load_definition
from tests.fuzz.place import SEED, command, emptied, inputs
from tests.tables.made_records import make_record, save

KEYS = st.sampled_from(["title", "columns", "rows", "blocks", "methods", "note", "survey", "name", "x"])
WORDS = st.sampled_from(["Mine", "../x", "method", "model", "seed", "training.learning_rate", "lora", "\x1b[2J", "=1"])
PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | WORDS
COLUMN = st.dictionaries(
    st.sampled_from(["field", "task", "average", "title", "unit", "digits", "better", "scale", "share_of", "metrics"]),
    PLAIN | st.sampled_from(["*", "trainable", "sst2", "accuracy", "train_peak", "higher", "GB", "score"]), max_size=4,
)  # fmt: skip
GOOD = {"title": "Mine", "columns": [{"task": "*"}]}
TABLE = st.dictionaries(KEYS, PLAIN | st.lists(COLUMN | WORDS, max_size=3), max_size=4)


TEXT = st.binary(max_size=30) | st.text(max_size=20).map(lambda text: text.encode(errors="replace"))
FILE = TABLE.map(lambda changes: yaml.safe_dump(GOOD | changes).encode()) | TEXT


@seed(SEED)
@inputs(150)
@given(text=FILE)
def test_a_definition(text, tmp_path):
    with emptied(tmp_path) as place:
        _write(place, text)
        said = "mine.yaml"
        try:
            assert load_definition("mine", str(place / "mine")).columns
        except UserError as error:
            said = str(error)
        assert "mine.yaml" in said


@seed(SEED)
@inputs(12)
@given(changes=TABLE)
def test_a_table(changes, capsys, tmp_path):
    with emptied(tmp_path) as place:
        save(place / "results", make_record())
        _write(place, yaml.safe_dump(GOOD | changes).encode())
        words = ("experiment=miniature/glue", "definition=mine", "format=csv,markdown", "--config-dir=mine")
        command(capsys, place, "table", *words)


def _write(place, text):
    (place / "mine" / "table").mkdir(parents=True)
    (place / "mine" / "table" / "mine.yaml").write_bytes(text)
