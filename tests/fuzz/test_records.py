"""Records with anything in them: `table`, `report` and `status` show the good one, and name the other or show it."""

import copy
import json

from hypothesis import given, seed
from hypothesis import strategies as st

from bench.records.schema import RecordError
from bench.records.text import read
from tests.fuzz.place import SEED, command, emptied, inputs
from tests.tables.made_records import make_record, save

WORDS = st.sampled_from(["", "x", "done", "=1+1", "\x1b[2J", "\u202e", "../x", "1", "-1", "\ud800", "a" * 300])
PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | WORDS | st.text(max_size=5)
JSON = st.recursive(PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3))


def places(value, path=()):
    """The path of every part of a record."""
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from places(item, (*path, key))


GOOD = make_record(curve=[(1, 0.5)]).to_dict()
PLACES = [*places(GOOD)]


def spoilt(record, changes):
    """A record with other values, or without some, at some places."""
    record = copy.deepcopy(record)
    for path, value in changes:
        part = record
        try:
            for key in path[:-1]:
                part = part[key]
            if value == "gone":
                del part[path[-1]]
            else:
                part[path[-1]] = value
        except (KeyError, TypeError, IndexError):
            continue  # an earlier change has taken the place away
    return record


CHANGES = st.lists(st.tuples(st.sampled_from(PLACES), JSON | st.just("gone")), min_size=1, max_size=3)
BYTES = st.binary(max_size=60) | st.integers(0, 3000)
TOGETHER = 12  # records of one input: a table takes as long with one


@seed(SEED)
@inputs(12)
@given(every=st.lists(CHANGES | BYTES, min_size=TOGETHER, max_size=TOGETHER))
def test_records_with_other_values_or_bytes(every, capsys, tmp_path):
    with emptied(tmp_path) as place:
        save(place / "results", make_record(curve=[(1, 0.5)]))
        bad = {place / "results" / "miniature" / "glue" / f"bad-{number}" for number in range(TOGETHER)}
        for folder, change in zip(sorted(bad), every, strict=True):
            folder.mkdir()
            record = make_record(seed=1, curve=[(1, 0.5)]).to_dict()
            if isinstance(change, list):
                text = json.dumps(spoilt(record, change), indent=1).encode()
            else:
                text = json.dumps(record, indent=1).encode()[:change] if isinstance(change, int) else change
            (folder / "record.json").write_bytes(text)
        code, out, err = command(capsys, place, "table", "experiment=miniature/glue", "format=csv,markdown,latex")
        assert code == 0, err
        assert "lora" in out
        left_out = [folder for folder in bad if f"{folder.name}/record.json" in err]
        assert err.count("\n") == len(left_out), err
        for folder in bad:
            assert folder in left_out or not _is_unreadable(folder)


def _is_unreadable(folder):
    try:
        read(folder / "record.json")
    except RecordError:
        return True
    return False
