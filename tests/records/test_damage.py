"""Records that somebody or something has spoilt: one reading decides for all commands whether they count."""

import json
import os

import pytest

from bench.records.columns import read_columns
from bench.records.finding import find_records
from bench.records.schema import RecordError
from bench.records.store import FILE, read_record
from bench.records.text import read
from bench.system.terminal import forget_warnings
from tests.tables.made_records import make_record, save

COST = {"seconds": 0.1, "weights": 1, "peak": 2}


def at(*keys, value):
    """Puts a value somewhere into a record."""

    def spoil(record):
        for key in keys[:-1]:
            record = record[key]
        record[keys[-1]] = value

    return spoil


def without(*keys):
    def spoil(record):
        for key in keys[:-1]:
            record = record[key]
        del record[keys[-1]]

    return spoil


DAMAGES = {
    **{
        f"schema_version={value!r}": at("schema_version", value=value)
        for value in (0, -1, True, "1", None, 10**30, 1.0)
    },
    **{
        f"{part}={value!r}": at(part, value=value)
        for part in ("cell", "environment", "time", "parameters", "memory", "metrics", "storage", "inference", "status")
        for value in (3, "x", [], [1])
    },
    **{f"no {part}": without(part) for part in ("cell", "status", "time", "metrics", "warnings")},
    "no seed": without("cell", "seed"),
    "an unknown key": at("time", "x", value=1),
    "a word for a score": at("metrics", "values", "accuracy", value="high"),
    "a list for a score": at("metrics", "values", "accuracy", value=[1]),
    "true for a seed": at("cell", "seed", value=True),
    "a huge seed": at("cell", "seed", value=2**63),
    "a word for seconds": at("time", "train", value="long"),
    "negative seconds": at("time", "train", value=-1.0),
    "a negative count": at("parameters", "trainable", value=-5),
    "a fraction of a parameter": at("parameters", "trainable", value=1.5),
    "no phase": at("memory", "phases", "train", value=3),
    "ranks": at("memory", "ranks", value={"a": 1}),
    "a word for an inference": at("inference", value={"bare": COST | {"seconds": "fast"}}),
    "a word for the operations": at("inference", value={"bare": COST | {"operations": "many"}}),
    "a word for forgetting": at("forgetting", value="much"),
    "forgetting without its tokens": at("forgetting", value={"before": 1.0, "after": 2.0, "difference": 1.0}),
    "a number for a title": at("cell", "config", "method", "title", value=3),
    "a number for the grid": at("cell", "config", "experiment", "grid", value=3),
    "a grid of numbers": at("cell", "config", "experiment", "grid", value=[3]),
    "a grid's seed": at("cell", "config", "experiment", "grid", value=[{"seed": ["x"]}]),
    "an endless grid": at("cell", "config", "experiment", "grid", value=[dict.fromkeys("abcdefgh", [0] * 10)]),
    "a word for a limit": at("cell", "config", "training", "max_steps", value="few"),
    "a section": at("cell", "config", "model", value=[1]),
    "a number for the end": at("environment", "end", value=5),
    "a word for sharing": at("environment", "sharing", value="x"),
    "shrunk": at("environment", "shrunk", value=[1]),
    "the curve": at("metrics", "curve", value=[{"step": 1}]),
    "a word in the curve": at("metrics", "curve", value=[{"step": 1, "values": {"accuracy": "x"}}]),
    "origins": at("origins", value={"a": 1}),
    "warnings": at("warnings", value=[1]),
}
TEXTS = {
    "empty": "",
    "cut off": '{"cell": {',
    "a list": "[]",
    "deep brackets": "[" * 100_000,
    "deep mappings": '{"a":' * 100_000,
    "not UTF-8": b"\xff\xfe",
}


def texts_of(record):
    """Every damage as the text of a file."""
    for name, spoil in DAMAGES.items():
        spoilt = json.loads(json.dumps(record))
        spoil(spoilt)
        yield name, json.dumps(spoilt, indent=1).encode()
    for name, text in TEXTS.items():
        yield name, text if isinstance(text, bytes) else text.encode()
    deep = json.dumps(record).replace('"seed": 1,', '"seed": 1, "deep": ' + "[" * 600 + "]" * 600 + ",", 1)
    yield "deep within", deep.encode()


def test_a_damaged_record_costs_one_line_that_names_it_and_no_other(tmp_path, capsys):
    good, bad = save(tmp_path, make_record(curve=[(1, 0.5)]), make_record(seed=1, curve=[(1, 0.5)]))
    for name, text in texts_of(json.loads(bad.read_text())):
        forget_warnings()
        bad.write_bytes(text)
        assert read_columns([str(bad), str(good)])["path"].to_pylist() == [str(good)], name
        (line,) = capsys.readouterr().err.splitlines()
        assert line.count(str(bad)) == 1, name
        assert len(line) < 400, name
        for reading in (lambda: read(bad), lambda: read_record(bad)):
            with pytest.raises(RecordError) as error:
                reading()
            assert str(error.value) in line, name


def test_what_is_odd_but_possible_counts(tmp_path, capsys):
    (path,) = save(tmp_path, make_record())
    record = json.loads(path.read_text())
    record["inference"] = {form: COST | {"seconds": 0.0} for form in ("adapted", "merged", "bare")}
    record["metrics"]["values"] = {"accuracy": None}
    record["time"]["train"] = 0
    path.write_text(json.dumps(record))
    (row,) = read_columns([str(path)]).to_pylist()
    assert row["inference_slowdown"] is None
    assert row["train_seconds"] == 0
    assert read(path).status == "done"
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo, lambda path: os.symlink("/dev/zero", path)])
def test_what_is_no_file_is_told_and_nobody_waits_for_it(tmp_path, make, capsys):
    forget_warnings()
    good, bad = save(tmp_path, make_record(), make_record(seed=1))
    bad.unlink()
    make(bad)
    paths = find_records(tmp_path, "miniature/glue")
    assert str(bad) in paths
    assert read_columns(paths)["path"].to_pylist() == [str(good)]
    assert f"{bad}: not a file; it is left out" in capsys.readouterr().err
    with pytest.raises(RecordError, match="not a file"):
        read(bad)


def test_links_that_lead_in_a_circle_or_nowhere_are_no_folders(tmp_path):
    (path,) = save(tmp_path, make_record())
    for name, target in (("up", ".."), ("here", "."), ("nowhere", "nothing"), ("itself", "itself")):
        (tmp_path / "miniature" / name).symlink_to(target)
    assert find_records(tmp_path) == [str(path)]
    assert find_records(tmp_path, "miniature") == [str(path)]


def test_losses_that_are_damaged_are_none(tmp_path):
    record = make_record().to_dict()
    record["metrics"]["losses"] = [{"step": 1, "loss": 0.5}]
    (path,) = save(tmp_path, make_record())
    text = json.dumps(record, indent=1)
    path.write_text(text)
    assert read_record(path).metrics.losses == [{"step": 1, "loss": 0.5}]
    path.write_text(text.replace('"loss": 0.5', '"loss": 0,5'))
    assert read_record(path).metrics.losses == []
    assert read(path).status == "done"


def test_what_lies_beside_a_record_is_passed_over(tmp_path):
    (path,) = save(tmp_path, make_record())
    path.with_name("record (copy).json").write_text("{")
    path.with_name(f"{FILE}~").write_text("{")
    assert find_records(tmp_path) == [str(path)]
