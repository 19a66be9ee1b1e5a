"""Columns that are kept beside the records are the ones that reading all files again would give, whatever happened."""

import os
import random
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bench.records import kept
from bench.records.columns import read_columns
from bench.records.finding import find_records
from bench.records.kept import columns_of
from bench.system.terminal import forget_warnings
from bench.tables import make_table, write
from tests.tables.made_records import make_record, save

EXPERIMENT = "miniature/glue"
WRONG = [b"", b"ARROW1", b"x" * 5000]


@pytest.fixture(autouse=True)
def few_and_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "KEPT_FROM", 1)
    monkeypatch.setattr(kept, "TICK", -(10**12))  # else nobody could rely on files that are a second old


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that are read."""
    found: list[str] = []
    monkeypatch.setattr(kept, "read_columns", lambda paths: (found.extend(paths), read_columns(paths))[1])
    return found


def fresh(results: Path):
    return read_columns(find_records(results, EXPERIMENT))


def file_of(results: Path) -> Path:
    return results / EXPERIMENT / kept.FILE


def test_what_was_read_once_is_not_read_again(tmp_path, reads, monkeypatch):
    paths = save(tmp_path, *(make_record(seed=seed, curve=[(1, 0.1), (2, 0.4)]) for seed in range(5)))
    first, unreadable = columns_of(tmp_path, EXPERIMENT)
    assert first.equals(fresh(tmp_path))
    assert (len(reads), unreadable) == (5, 0)
    assert columns_of(tmp_path, EXPERIMENT)[0].equals(first)
    assert len(reads) == 5
    monkeypatch.chdir(tmp_path.parent)  # called by another name, the same folder
    named = columns_of(tmp_path.name, EXPERIMENT)[0]
    assert named["path"].to_pylist() == sorted(str(path.relative_to(tmp_path.parent)) for path in paths)
    assert len(reads) == 5
    save(tmp_path, make_record(seed=7))
    assert columns_of(tmp_path, EXPERIMENT)[0].equals(fresh(tmp_path))
    assert len(reads) == 6


def test_a_change_that_hides_itself_is_seen(tmp_path):
    path = save(tmp_path, make_record(seed=0), make_record(seed=1))[0]
    columns_of(tmp_path, EXPERIMENT)
    before = path.stat()
    with path.open("r+") as file:  # in place, as long as before
        text = file.read()
        file.seek(0)
        file.write(text.replace('"accuracy": 0.5', '"accuracy": 0.7'))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat()[:7] == before[:7], "inode and size, and the time, are as before"
    found = columns_of(tmp_path, EXPERIMENT)[0]
    assert sorted(dict(metrics)["accuracy"] for metrics in found["metrics"].to_pylist()) == [0.5, 0.7]


def test_a_file_that_has_just_been_written_is_read_again(tmp_path, reads, monkeypatch):
    monkeypatch.setattr(kept, "TICK", 2_000_000_000)  # the clock may not have ticked since
    save(tmp_path, make_record(seed=0), make_record(seed=1))
    for _ in range(2):
        columns_of(tmp_path, EXPERIMENT)
    assert len(reads) == 4
    assert not file_of(tmp_path).exists()


@pytest.mark.parametrize("seed", range(3))
def test_after_any_edits_it_is_as_if_nothing_were_kept(tmp_path, seed, capsys):
    rng = random.Random(seed)
    save(tmp_path, *(make_record(seed=number, task=f"miniature/{task}") for number in range(4) for task in ("a", "b")))
    for step in range(25):
        paths = [Path(path) for path in find_records(tmp_path, EXPERIMENT)]
        one = rng.choice(paths)
        match rng.choice(["score", "add", "remove", "damage", "copy", "rename", "kept", "none of a kind", "nothing"]):
            case "score":
                one.write_text(one.read_text().replace('"accuracy": 0.', f'"accuracy": 0.{rng.randrange(10)}'))
            case "add":
                peak = rng.choice([None, 5])
                save(tmp_path, make_record(seed=10 + step, train_peak=peak, titles={"method": f"L{step}"}))
            case "remove" if len(paths) > 2:
                shutil.rmtree(one.parent)
            case "damage":
                one.write_bytes(one.read_bytes()[: rng.randrange(100)])
            case "copy":
                shutil.copytree(one.parent, one.parent.with_name(f"copy-{step}"))
            case "rename":
                one.parent.rename(one.parent.with_name(f"renamed-{step}"))
            case "kept":
                whole = file_of(tmp_path).read_bytes() if file_of(tmp_path).exists() else b""
                cut, flipped = whole[: len(whole) // 2], whole[:-60] + bytes(byte ^ 1 for byte in whole[-60:-50])
                file_of(tmp_path).write_bytes(rng.choice([*WRONG, cut, flipped]))
            case "none of a kind":
                for path in paths:  # a column without a single value
                    path.write_text(path.read_text().replace('"peak_allocated": 2000000000', '"peak_allocated": null'))
        forget_warnings()  # else each is said once
        found, unreadable = columns_of(tmp_path, EXPERIMENT)
        told = capsys.readouterr().err
        forget_warnings()
        again = fresh(tmp_path)
        assert found.equals(again)
        assert found.schema == again.schema
        assert sorted(told.splitlines()) == sorted(capsys.readouterr().err.splitlines())
        assert unreadable == len(find_records(tmp_path, EXPERIMENT)) - len(again)


def test_a_table_is_the_same_to_the_last_byte(tmp_path):
    grid = [{"model": "miniature/roberta", "task": ["miniature/sst2"], "method": ["lora", "full"], "seed": [0, 1, 2]}]
    save(tmp_path, *(make_record(method=m, seed=s, grid=grid) for m in ("lora", "full") for s in range(2)))
    written = []
    for name in ("one", "two"):
        paths = write(make_table(tmp_path, EXPERIMENT), "csv", tmp_path / name)
        written.append([path.read_bytes() for path in paths])
    assert file_of(tmp_path).exists()
    assert written[0] == written[1]


def test_what_other_code_has_kept_does_not_count(tmp_path, reads, monkeypatch):
    save(tmp_path, make_record(seed=0), make_record(seed=1))
    columns_of(tmp_path, EXPERIMENT)
    monkeypatch.setattr(kept, "_code", lambda: b"o" * 32)
    columns_of(tmp_path, EXPERIMENT)
    assert len(reads) == 4
    columns_of(tmp_path, EXPERIMENT)
    assert len(reads) == 4, "it is kept anew"


def test_where_nothing_can_be_written_nothing_is_said(tmp_path, monkeypatch, capsys):
    save(tmp_path, make_record(seed=0), make_record(seed=1))
    file_of(tmp_path).mkdir()
    assert columns_of(tmp_path, EXPERIMENT)[0].equals(fresh(tmp_path))
    file_of(tmp_path).rmdir()
    monkeypatch.setattr(kept.tempfile, "TemporaryFile", lambda **_: (_ for _ in ()).throw(PermissionError(13, "no")))
    assert columns_of(tmp_path, EXPERIMENT)[0].equals(fresh(tmp_path))
    assert not file_of(tmp_path).exists()
    assert capsys.readouterr().err == ""


def test_a_link_leads_nobody_to_write_elsewhere(tmp_path):
    outside = tmp_path / "outside"
    save(outside, make_record(seed=0), make_record(seed=1))
    (tmp_path / "results" / "miniature").mkdir(parents=True)
    (tmp_path / "results" / EXPERIMENT).symlink_to(outside / EXPERIMENT)
    assert len(columns_of(tmp_path / "results", EXPERIMENT)[0]) == 2
    assert not file_of(outside).exists()
    file_of(outside).symlink_to(tmp_path / "precious")
    (tmp_path / "precious").write_text("of somebody else")
    assert len(columns_of(outside, EXPERIMENT)[0]) == 2
    assert (tmp_path / "precious").read_text() == "of somebody else"


def test_several_may_write_at_once(tmp_path):
    save(tmp_path, *(make_record(seed=seed) for seed in range(6)))
    whole = fresh(tmp_path)
    with ThreadPoolExecutor(4) as pool:
        for _ in range(5):
            file_of(tmp_path).unlink(missing_ok=True)
            assert all(
                table.equals(whole) for table, _ in pool.map(lambda _: columns_of(tmp_path, EXPERIMENT), range(8))
            )
    assert [path.name for path in (tmp_path / EXPERIMENT).glob(".*")] == [kept.FILE]
