"""Runs of other weights, data or code never share a row in silence."""

import json
import shutil

import numpy as np
import pytest

from bench.errors import NothingToShowError
from bench.identity.fingerprints import fingerprints_of
from bench.tables import make_table
from tests.identity.test_model import SMALL, checkpoint
from tests.tables.made_records import identified, make_record, save

OLD, NEW = "2026-01-01T00:00:00+00:00", "2026-01-02T00:00:00+00:00"


def made_of(kind, digest):
    return {"weights": {"digest": "f" * 32}} | {kind: {"digest": digest} if kind == "weights" else digest}


def rows_of(folder):
    table = make_table(str(folder), "miniature/glue", "glue")
    return [(row.method, row.variant) for block in table.blocks for row in block.rows], table


@pytest.mark.parametrize(
    ("kind", "old", "new", "label"),
    [
        ("weights", "a" * 32, "b" * 32, "weights=aaaaaaaa"),
        ("tokenizer", "a" * 32, "b" * 32, "tokenizer=aaaaaaaa"),
        ("data", {"sst2/train": {"digest": "a" * 32}}, {"sst2/train": {"digest": "b" * 32}}, "data=aaaaaaaa"),
        ("classes", {"own.Mine": {"digest": "a" * 32}}, {"own.Mine": {"digest": "b" * 32}}, "code=aaaaaaaa"),
    ],
)
def test_other_content_is_a_row_of_its_own_and_a_note(tmp_path, kind, old, new, label):
    records = [make_record(seed=0, end=OLD, fingerprints=made_of(kind, old), scores={"accuracy": 0.1})]
    records += [make_record(seed=seed, end=NEW, fingerprints=made_of(kind, new)) for seed in (1, 2)]
    save(tmp_path, *records)
    rows, table = rows_of(tmp_path)
    assert rows == [("lora", ""), ("lora", label)]
    assert any("1 run(s) were made of other" in note for note in table.notes)


def test_the_same_content_is_not(tmp_path):
    save(tmp_path, *(make_record(seed=seed, fingerprints=made_of("tokenizer", "a" * 32)) for seed in range(3)))
    rows, table = rows_of(tmp_path)
    assert rows == [("lora", "")]
    assert not any("made of" in note for note in table.notes)


def test_records_that_do_not_say_are_noted_once(tmp_path):
    save(tmp_path, make_record(seed=0, fingerprints={}), make_record(seed=1, fingerprints={}), make_record(seed=2))
    rows, table = rows_of(tmp_path)
    assert rows == [("lora", "")]
    assert [note for note in table.notes if "unknown" in note] == [
        "2 of 3 record(s) do not say what they were made of: unknown"
    ]


def test_models_that_differ_in_their_path_only_share_no_row(tmp_path):
    """Not even where each was run on tasks of its own."""
    records = []
    for path, task in (("/a", "miniature/sst2"), ("/b", "miniature/cola")):
        record = make_record(task=task)
        record.cell.config["model"]["path"] = path
        records.append(record)
    save(tmp_path, *records)
    rows, _ = rows_of(tmp_path)
    assert sorted(rows) == [("lora", "path=/a"), ("lora", "path=/b")]


def test_other_libraries_are_noted(tmp_path):
    versions = ({"peft": "0.1", "torch": "2"}, {"peft": "0.2", "torch": "2"})
    save(tmp_path, *(make_record(seed=s, fingerprints={"libraries": v}) for s, v in enumerate(versions)))
    assert "records of different libraries: peft 0.1 and 0.2" in rows_of(tmp_path)[1].notes


def test_stale_records_are_told_where_the_files_can_be_seen(tmp_path):
    record = make_record()
    record.cell.config["model"] |= checkpoint(tmp_path / "model", [SMALL])
    record.fingerprints = fingerprints_of(record.cell.config)
    save(tmp_path, record)
    assert not any("STALE" in note for note in rows_of(tmp_path)[1].notes)
    checkpoint(tmp_path / "model", [SMALL | {"b.bias": np.ones(2, np.float32)}])
    assert "STALE: the weights have changed since 1 of the cells were run" in rows_of(tmp_path)[1].notes


def test_records_of_other_cells_are_named_and_left_out(tmp_path, capsys):
    good, renamed, copied = save(tmp_path, make_record(seed=0), make_record(seed=1), make_record(seed=2))
    content = json.loads(renamed.read_text())
    content["cell"]["config"]["training"]["learning_rate"] = 0.5
    renamed.write_text(json.dumps(content))
    shutil.move(copied.parent, copied.parent.with_name("copy of it"))
    table = rows_of(tmp_path)[1]
    assert "2 record(s) that are not of their cell are left out" in table.notes
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2
    assert any(str(renamed) in line and "the settings in it are not those" in line for line in said)
    assert any("copy of it" in line and "lies in another folder" in line for line in said)
    good.unlink()
    with pytest.raises(NothingToShowError, match="none of the 2"):
        rows_of(tmp_path)


def test_a_record_of_the_first_schema_keeps_its_name(tmp_path):
    """Its hash was made with titles and categories."""
    from bench.configuration.cell import IDENTITY, hash_of, name_of

    cell = identified(make_record()).cell
    old = hash_of({key: cell.config[key] for key in IDENTITY}, labels=True)
    assert old != cell.config_hash
    (path,) = save(tmp_path, make_record())
    name = name_of(cell.model, cell.task, cell.method, cell.seed, old)
    content = json.loads(path.read_text())
    content["cell"] |= {"id": name, "config_hash": old}
    path.parent.rename(path.parent.with_name(name))
    (path.parent.with_name(name) / path.name).write_text(json.dumps(content))
    assert rows_of(tmp_path)[0] == [("lora", "")]
